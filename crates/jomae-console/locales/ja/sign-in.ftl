### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## Signing in
sign-in-title = ログイン
sign-in = ログイン
sign-in-about = ログインには専用のリンクが必要です。リンクは短時間、一度だけ使えます。
sign-in-token = リンクのトークン
sign-in-token-about = リンクから自動で入力されます。スクリプトが無効な場合は、リンクの # より後を貼り付けてください。
sign-in-failed = このリンクは無効です。すでに使用されたか、有効期限が切れています。新しいリンクを発行してください。
sign-in-no-link = リンクがない場合
sign-in-no-link-about = サービスの運用担当者が、稼働中のマシンで発行します。
signed-out-title = ログアウトしました
signed-out = ログアウトしました。このセッションはもう使えません。
forged-title = 受け付けられませんでした
forged = このフォームは現在のセッションのものではないため、何も実行していません。ページを開き直して、もう一度操作してください。
not-found-title = ページが見つかりません
not-found = アドレスが正しくないか、対象が削除されています。
too-large-title = 入力が大きすぎます
too-large = フォームの内容が上限を超えています。ファイルにはコマンドラインを使用してください。

## Sessions
sessions-about = このアカウントでコンソールにログインしているすべてのセッションです。一定時間操作がないと自動的に終了します。
session-user = ユーザー
session-began = ログイン日時
session-last = 最終操作
session-address = IP アドレス
session-browser = ブラウザー
session-action = 操作
session-own = このセッション
session-end = セッションを終了:
