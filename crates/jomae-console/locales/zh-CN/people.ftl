### 控制台的中文文本。术语遵循 docs/glossary.md。

## People
people-about = 此账号的 RAM 用户：每个人或程序使用一个。
users = RAM 用户
users-none = 还没有 RAM 用户。
users-more = 还有更多 RAM 用户。可使用命令行查看全部。
create-user = 创建 RAM 用户
user-title = RAM 用户 { $name }
user-name = 用户名
user-name-about = 可使用字母、数字和 . _ - 。
user-display-name = 显示名称
user-comments = 备注
user-created = 创建时间
user-events = 此用户的事件
access-keys = 访问密钥（AccessKey）
access-keys-none = 此用户没有访问密钥。
access-key-id = AccessKey ID
access-key-secret = AccessKey Secret
access-key-status = 状态
access-key-created = 创建时间
access-key-active = 启用
access-key-inactive = 禁用
access-key-new = 新的访问密钥
access-key-new-about = AccessKey Secret 仅显示这一次。请通过安全的方式交付。
create-access-key = 创建访问密钥
policies = 权限策略
policies-none = 此用户没有权限策略，因此不能执行任何操作。
policies-about = 要授予密钥的权限，请打开该密钥的页面。
detach = 移除
command-line = 通过命令行使用
command-line-about = 用户使用访问密钥按如下方式解密。
