### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## People
people-about = このアカウントの RAM ユーザーです。人またはプログラムごとに作成します。
users = RAM ユーザー
users-none = RAM ユーザーはまだいません。
create-user = RAM ユーザーを作成
user-title = RAM ユーザー { $name }
user-name = ユーザー名
user-name-about = 英数字と . _ - が使えます。
user-display-name = 表示名
user-comments = 備考
user-created = 作成日時
user-events = この RAM ユーザーのイベント
access-keys = AccessKey ペア
access-keys-none = AccessKey ペアはありません。
access-key-id = AccessKey ID
access-key-secret = AccessKey Secret
access-key-status = ステータス
access-key-created = 作成日時
access-key-active = 有効
access-key-inactive = 無効
access-key-new = 新しい AccessKey ペア
access-key-new-about = AccessKey Secret が表示されるのは今回だけです。安全な方法で渡してください。
create-access-key = AccessKey ペアを作成
policies = ポリシー
policies-none = ポリシーがないため、何も許可されていません。
policies-about = キーの権限を付与するには、キーのページを開いてください。
detach = 解除
command-line = コマンドラインから使う
command-line-about = RAM ユーザーは AccessKey ペアを使って次のように復号します。

## Parts of the area
people-nav = ユーザーと権限
list-start = 一覧の先頭
yes = はい
no = いいえ
attach = ポリシーを付与

## Users
access-key-age = 経過日数
access-key-last-used = 最終使用日時
access-key-never-used = 未使用
access-key-change = 有効化・無効化・削除
access-keys-about = 定期的に入れ替えてください。2 つ目のペアを作成して切り替え、古いペアを無効化し、影響がないことを確かめてから削除します。
login = パスワードでのログイン
login-none = この RAM ユーザーはパスワードでログインできません。
login-unknown = パスワードの有無を表示する権限がありません。
login-since = 設定日時
login-password = パスワード
login-password-about = 8 文字以上で、アカウントのパスワードポリシーに従ってください。ハッシュとして保存され、どこにも表示されません。
login-reset = 次回ログイン時にパスワードの変更を求める
login-mfa = MFA デバイスのバインドを必須にする
login-set = パスワードを設定
login-change = パスワードを再設定
login-remove = パスワードを削除
user-groups-none = どのグループにも属していません。
group-join = グループに追加
group-leave = グループから削除
delete-user = RAM ユーザーを削除
delete-user-about = 先にポリシー、グループ、AccessKey ペア、パスワードをすべて外してください。削除した RAM ユーザーは元に戻せません。
simulate-this = 権限をシミュレート

## Groups
groups = ユーザーグループ
groups-about = グループに付与したポリシーは、グループ内のすべての RAM ユーザーに適用されます。
groups-none = ユーザーグループはまだありません。
group-title = ユーザーグループ { $name }
group-name = グループ名
group-name-about = 英数字と . _ - が使えます。
create-group = ユーザーグループを作成
delete-group = ユーザーグループを削除
delete-group-about = 先にメンバーとポリシーをすべて外してください。
group-policies-none = ポリシーがないため、このグループは何の権限も与えません。
members = メンバー
members-none = メンバーはいません。
members-more = ほかにもメンバーがいます。すべての一覧はコマンドラインで確認できます。
member-since = 追加日時
member-add = メンバーを追加
member-remove = 削除

## Roles
roles = RAM ロール
roles-about = ロール自体は認証情報を持ちません。信頼ポリシーで認められた相手が、一定時間だけそのロールを引き受けます。
roles-none = RAM ロールはまだありません。
role-title = RAM ロール { $name }
role-name = ロール名
role-name-about = 英数字と - が使えます。
role-description = 説明
role-duration = 最大セッション時間（秒）
role-duration-about = 3600～43200 の範囲で指定します。
role-arn = リソース名（ARN）
role-trust = ロールを引き受けられる相手
role-trust-about = 信頼ポリシーで決まります。変更は、開始済みのセッションにもただちに適用されます。
role-policies-none = ポリシーがないため、何も許可されていません。
trust-policy = 信頼ポリシー
trust-save = 信頼ポリシーを保存
create-role = RAM ロールを作成
delete-role = RAM ロールを削除
delete-role-about = 先にポリシーをすべて外してください。このロールのセッションはただちに終了します。

## What was done to them
done-access-key-enabled = AccessKey ペアを有効化しました。
done-access-key-disabled = AccessKey ペアを無効化しました。以後、このペアで署名した呼び出しは拒否されます。
done-access-key-deleted = AccessKey ペアを削除しました。
done-attached = ポリシーを付与しました。
done-login-set = このパスワードでログインできるようになりました。安全な方法で本人に渡してください。
done-login-changed = パスワードを変更しました。この RAM ユーザーのセッションは終了しました。
done-login-removed = パスワードを削除しました。
done-user-deleted = RAM ユーザーを削除しました。
done-group-created = ユーザーグループを作成しました。
done-group-deleted = ユーザーグループを削除しました。
done-member-added = RAM ユーザーをグループに追加しました。
done-member-removed = RAM ユーザーをグループから削除しました。
done-role-created = RAM ロールを作成しました。
done-role-deleted = RAM ロールを削除しました。
done-trust-saved = 信頼ポリシーを保存しました。ただちに適用されます。

## Refusals
error-EntityNotExist-Group = そのユーザーグループは存在しません。
error-EntityNotExist-Role = その RAM ロールは存在しません。
error-EntityNotExist-User-AccessKey = その AccessKey ペアは存在しません。
error-EntityNotExist-User-Group = この RAM ユーザーはこのグループのメンバーではありません。
error-EntityNotExist-User-LoginProfile = この RAM ユーザーにはパスワードが設定されていません。
error-EntityAlreadyExists-Group = 同じ名前のユーザーグループがすでに存在します。
error-EntityAlreadyExists-Role = 同じ名前の RAM ロールがすでに存在します。
error-EntityAlreadyExists-User-Group = この RAM ユーザーはすでにこのグループのメンバーです。
error-EntityAlreadyExists-User-LoginProfile = すでにパスワードが設定されています。再設定してください。
error-DeleteConflict-User-Group = この RAM ユーザーはまだグループに属しています。先にグループから削除してください。
error-DeleteConflict-User-AccessKey = AccessKey ペアが残っています。先に削除してください。
error-DeleteConflict-User-Policy = ポリシーが付与されています。先に解除してください。
error-DeleteConflict-User-LoginProfile = パスワードが設定されています。先に削除してください。
error-DeleteConflict-User-MFADevice = MFA デバイスがバインドされています。先に解除してください。
error-DeleteConflict-Group-User = グループにメンバーが残っています。先に削除してください。
error-DeleteConflict-Group-Policy = グループにポリシーが付与されています。先に解除してください。
error-DeleteConflict-Role-Policy = ロールにポリシーが付与されています。先に解除してください。
error-InvalidParameter-UserName-InvalidChars = ユーザー名に使用できない文字が含まれています。英数字と . _ - を使ってください。
error-InvalidParameter-UserName-Length = ユーザー名が長すぎます。
error-InvalidParameter-DisplayName-InvalidChars = 表示名に使用できない文字が含まれています。文字、数字、空白と . @ _ - を使ってください。
error-InvalidParameter-DisplayName-Length = 表示名が長すぎます。
error-InvalidParameter-Comments-Length = 備考が長すぎます。
error-InvalidParameter-GroupName-InvalidChars = グループ名に使用できない文字が含まれています。英数字と . _ - を使ってください。
error-InvalidParameter-GroupName-Length = グループ名が長すぎます。
error-InvalidParameter-RoleName-InvalidChars = ロール名に使用できない文字が含まれています。英数字と - を使ってください。
error-InvalidParameter-RoleName-Length = ロール名が長すぎます。
error-InvalidParameter-Description-Length = 説明が長すぎます。
error-InvalidParameter-Password-TooWeak = パスワードがアカウントのパスワードポリシーを満たしていません。より長くするか、文字の種類を増やしてください。
error-LimitExceeded-User = RAM ユーザー数の上限に達しています。
error-LimitExceeded-Group = ユーザーグループ数の上限に達しています。
error-LimitExceeded-Role = RAM ロール数の上限に達しています。
error-LimitExceeded-User-Group = 所属できるグループ数の上限に達しています。
error-LimitExceeded-User-AccessKey = AccessKey ペアは 2 つまでです。先に 1 つ削除してください。
