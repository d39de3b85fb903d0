### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## People
people-about = このアカウントの RAM ユーザーです。人またはプログラムごとに作成します。
users = RAM ユーザー
users-none = RAM ユーザーはまだいません。
users-more = ほかにも RAM ユーザーがいます。すべての一覧はコマンドラインで確認できます。
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
