### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## Around every page
product = Jomae コンソール
skip = 本文へ移動
language = 言語
nav-label = メニュー
nav-overview = 概要
nav-keys = キー
nav-people = ユーザー
nav-audit = 監査ログ
nav-sessions = セッション
signed-in-as = ログイン中：
sign-out = ログアウト
footer = ここでの操作はすべて API 呼び出しです。権限の確認も監査ログも、プログラムからの呼び出しと同じです。
copy = コピー
copied = コピーしました
time-local = 現地時間：
search = 検索
delete = 削除
paging = 一覧のページ
page-before = 前のページ
page-next = 次のページ
page-older = これより前のイベント
page-of = { $page } / { $pages } ページ
days = { $days } 日
request-id = リクエスト ID
malformed = リクエストを読み取れませんでした。前の画面に戻って、もう一度お試しください。

## The calls behind a page
calls = このページが行った API 呼び出し
calls-about = 同じことを端末、プログラム、構成ファイルから行う方法です。平文は表示されません。
calls-cli = コマンドライン
calls-python = Python
calls-terraform = Terraform
calls-no-terraform = この呼び出しに対応する Terraform リソースはありません。

## Refusals
refused = 実行されませんでした。
refused-kept = 入力した内容は残っています。修正するか、権限の管理者に問い合わせてください。
refused-code = エラーコード
refused-words = API のメッセージ
why-not-allowed = { $permission } を許可するポリシーがありません。
why-denied = ポリシーが { $permission } を拒否しています。
why-other = 理由は以下のとおりです。
error-MissingParameter = 必須の項目が入力されていません。
error-InvalidParameter = 使用できない値が含まれています。暗号文の場合は、壊れているか、暗号化コンテキストが一致していません。
error-Forbidden-KeyNotFound = キーが存在しないか、暗号文または暗号化コンテキストが正しくありません。
error-Rejected-Disabled = キーは無効です。先に有効化してください。
error-Rejected-PendingDeletion = キーは削除保留中です。先に削除をキャンセルしてください。
error-Forbidden-AliasNotFound = そのエイリアスは存在しません。
error-AliasAlreadyExists = 同じ名前のエイリアスがすでに存在します。
error-Rejected-LimitExceeded = アカウントの上限に達しています。
error-Rejected-Throttling = 呼び出しが多すぎます。しばらく待ってからもう一度お試しください。
error-Throttling-User = 呼び出しが多すぎます。しばらく待ってからもう一度お試しください。
error-ServiceUnavailableTemporary = サービスが一時的に応答できません。しばらくしてからもう一度お試しください。
error-InternalFailure = サービスで障害が発生しました。原因はリクエスト ID で運用担当者が確認できます。
error-EntityAlreadyExists-User = 同じ名前の RAM ユーザーがすでに存在します。
error-EntityAlreadyExists-Policy = 同じ名前のポリシーがすでに存在します。
error-EntityNotExist-User = その RAM ユーザーは存在しません。
error-confirm = 入力された ID がこのキーの ID と一致しません。

## What was done
done-key-created = キーを作成しました。
done-alias-refused = キーを作成しましたが、エイリアスは作成されませんでした。
done-enabled = キーを有効化しました。
done-disabled = キーを無効化しました。以後、このキーを使う呼び出しはすべて拒否されます。
done-deletion-scheduled = キーの削除をスケジュールしました。
done-deletion-cancelled = キーの削除をキャンセルしました。キーは再び有効です。
done-alias-created = エイリアスを作成しました。
done-alias-deleted = エイリアスを削除しました。
done-tagged = タグを追加しました。
done-untagged = タグを削除しました。
done-rotated = 新しいプライマリキーバージョンを作成しました。
done-granted = ポリシーを作成し、RAM ユーザーに付与しました。
done-detached = RAM ユーザーからポリシーを解除しました。
done-user-created = RAM ユーザーを作成しました。
done-session-ended = セッションを終了しました。
