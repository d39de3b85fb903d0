### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## Audit log
audit-about = このアカウントの呼び出しの記録です。許可されたものも拒否されたものも、新しい順に、過去 7 日分を表示します。
events-none = 該当するイベントはありません。
event-by = 検索項目
event-value = 値
event-kind = 種類
event-kind-all = すべて
event-kind-api = プログラムからの呼び出し
event-kind-console = コンソールでの操作
event-kind-sign-in = ログイン
event-kind-service = サービスによる処理
event-time = 日時
event-name = イベント名
event-user = ユーザー
event-resource = リソース（キー ID など）
event-address = IP アドレス
event-browser = クライアント
event-outcome = 結果
event-done = 許可
event-refused = 拒否
event-reason = 理由
event-reason-about = 現在のポリシーで改めて判定した結果です。
event-title = イベント { $name }
event-whole = イベントの全文
proof = 証明
proof-about = このイベントがログに存在し、改ざんされていないことを第三者に示せます。検証に必要なのはログの公開鍵だけで、このサービスは不要です。
proof-download = 包含証明をダウンロード
proof-key = ログの公開鍵
proof-not-yet = 証明はまだ作成できません。次の署名付きチェックポイントに含まれるまで、数秒待ってからもう一度お試しください。
proof-verify = このページで証明を検証
proof-good = このブラウザーで検証しました。イベントはログに存在し、改ざんされておらず、ログの鍵で署名されたチェックポイントに含まれています。
proof-bad = 証明は成立しません。運用担当者に連絡してください。
proof-cannot = このブラウザーでは Ed25519 署名を検証できません。ダウンロードした証明を下のコマンドで検証してください。
