### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## Signing in
sign-in-title = ログイン
sign-in = ログイン
sign-in-about = ログイン用リンクは短時間、一度だけ使えます。
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

## With a password
sign-in-account = アカウント
sign-in-account-about = アカウントの番号または名前。アカウントが一つだけの場合や、ユーザー名@アカウント の形式で入力する場合は空欄のままにします。
sign-in-user = ユーザー名
sign-in-password = パスワード
sign-in-by-link = リンクでログイン
sign-in-with-link = リンクでログインする
sign-in-wrong = アカウント、ユーザー名またはパスワードが正しくありません。
sign-in-wrong-code = コードが正しくないか、すでに使用されています。次のコードが表示されるのを待って入力してください。
sign-in-locked = ここからの試行回数が上限に達しました。{ $minutes } 分後にもう一度お試しください。
sign-in-expired = パスワードの有効期限が切れています。ユーザーの管理者に新しいパスワードの発行を依頼してください。
sign-in-ended = 時間切れか、途中で設定が変更されました。最初からログインし直してください。
sign-in-busy = 現在ログインが集中しています。数秒後にもう一度お試しください。
sign-in-device-unbound = MFA デバイスのバインドを解除し、すべてのセッションを終了しました。もう一度ログインしてください。
sign-in-code-title = MFA デバイスのコード
sign-in-code-about = パスワードを確認しました。認証アプリに表示されているコードを入力してください。ユーザー:
sign-in-code = 6 桁のコード
sign-in-anew = 別のユーザーとしてログイン

## Through an organization
sign-in-organization = 組織のアカウントでログイン
sign-in-organization-about = 組織の側でログインし、ロールとしてここに戻ります。
sign-in-organization-failed = 組織のアカウントではログインできませんでした。もう一度試しても解決しない場合は、サービスの運用担当者に問い合わせてください。原因はサービスのログに記録されています。
sign-in-arrived = ログインしました
sign-in-go-on = ページに進む

## The own sign-in
me-title = 自分のログイン設定
me-must-change = まず新しいパスワードを設定してください。設定後、目的のページに進みます。
me-must-bind = まず MFA デバイスをバインドしてください。完了後、目的のページに進みます。
me-account = アカウント自体としてログインしています。アカウントにはパスワードがなく、運用担当者が発行するリンクでログインします。
me-role = 組織の ID プロバイダーを通じて、ロールでログインしています。パスワードと 2 段階目の認証は組織側で管理されます。
me-with-mfa = このセッションは、パスワードと MFA デバイスのコードで開始されました。
me-without-mfa = このセッションは MFA デバイスのコードなしで開始されました。MFA を必須とするポリシーによる許可は適用されません。
me-password = パスワード
me-password-about = パスワードを変更すると、ほかのセッションは終了します。このセッションは継続します。
me-old-password = 現在のパスワード
me-new-password = 新しいパスワード
me-new-password-again = 新しいパスワード（確認）
me-change-password = パスワードを変更
rule-length = { $number } 文字以上
rule-lowercase = 英小文字を含める
rule-uppercase = 英大文字を含める
rule-numbers = 数字を含める
rule-symbols = 記号（文字と数字以外）を含める
rule-reuse = 直近 { $number } 回のパスワードは使用不可
me-device = MFA デバイス
me-device-unknown = ポリシーにより、デバイスの有無を表示できません。
me-device-none = デバイスをバインドすると、ログインのたびに、スマートフォンのアプリに表示されるコードの入力が必要になります。
me-device-new = デバイスを設定
me-device-bound = バインド済みのデバイス:
me-device-unbind-about = 解除すると、パスワードだけでログインできるようになります。解除と同時に、このセッションを含むすべてのセッションが終了します。
me-device-unbind = デバイスのバインドを解除
me-device-scan = 認証アプリ（TOTP）で画像を読み取るか、キーを手動で入力してください。
me-device-picture = 認証アプリ用の QR コード。内容は下のキーと同じです
me-device-seed = キー
me-device-serial = シリアル番号
me-device-codes = 続いて、アプリに連続して表示される 2 つのコードを入力してください。
me-device-code-1 = 1 つ目のコード
me-device-code-2 = 次に表示されるコード
me-device-bind = デバイスをバインド
me-device-drop = このデバイスの設定をやめる
done-password-changed = パスワードを変更し、ほかのセッションを終了しました。
done-device-bound = デバイスをバインドしました。次回のログインからコードの入力が必要です。
done-device-dropped = バインド前のデバイスを削除しました。
error-passwords-differ = 新しいパスワードが一致していません。
error-InvalidParameter-OldPassword-Incorrect = 現在のパスワードが正しくありません。
error-InvalidParameter-NewPassword-TooWeak = 新しいパスワードがアカウントのパスワードポリシーを満たしていません。
error-InvalidParameter-NewPassword-ReusePrevention = 新しいパスワードは、以前に使用したものです。
error-CheckAuthenticationCodeFail = 2 つのコードが正しくありません。連続して表示される新しいコードを 2 つ入力してください。
error-EntityAlreadyExists-User-MFADevice = MFA デバイスはすでにバインドされています。
error-LimitExceeded-VirtualMFADevice = アカウントの MFA デバイス数が上限に達しています。
error-SessionEnded = セッションが終了しました。ページを開き直してログインしてください。
error-PasswordMustChange = 先に「自分のログイン設定」でパスワードを変更する必要があります。
error-DeviceMustBeBound = 先に「自分のログイン設定」で MFA デバイスをバインドする必要があります。

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
