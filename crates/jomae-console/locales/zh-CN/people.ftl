### 控制台的中文文本。术语遵循 docs/glossary.md。

## People
people-about = 此账号的 RAM 用户：每个人或程序使用一个。
users = RAM 用户
users-none = 还没有 RAM 用户。
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

## Parts of the area
people-nav = 用户与权限
list-start = 列表开头
yes = 是
no = 否
attach = 授予权限策略

## Users
access-key-age = 已使用天数
access-key-last-used = 最近使用
access-key-never-used = 从未使用
access-key-change = 启用、禁用、删除
access-keys-about = 请定期轮换：创建第二个访问密钥并切换使用，禁用旧的访问密钥，确认没有影响后再删除。
login = 密码登录
login-none = 此用户不能使用密码登录。
login-unknown = 您没有权限查看此用户是否设置了密码。
login-since = 设置时间
login-password = 密码
login-password-about = 至少 8 个字符，并符合账号的密码策略。密码以哈希值保存，不会在任何地方显示。
login-reset = 下次登录时必须修改密码
login-mfa = 必须绑定 MFA 设备
login-set = 设置密码
login-change = 重置密码
login-remove = 删除密码
user-groups-none = 此用户不属于任何用户组。
group-join = 加入用户组
group-leave = 移出用户组
delete-user = 删除 RAM 用户
delete-user-about = 请先移除此用户的权限策略、用户组、访问密钥和密码。删除后无法恢复。
simulate-this = 模拟权限

## Groups
groups = 用户组
groups-about = 授予用户组的权限策略对组内所有 RAM 用户生效。
groups-none = 还没有用户组。
group-title = 用户组 { $name }
group-name = 用户组名称
group-name-about = 可使用字母、数字和 . _ - 。
create-group = 创建用户组
delete-group = 删除用户组
delete-group-about = 请先移除组内的成员和权限策略。
group-policies-none = 此用户组没有权限策略，因此不授予任何权限。
members = 组成员
members-none = 此用户组没有成员。
members-more = 还有更多成员。可使用命令行查看全部。
member-since = 加入时间
member-add = 添加成员
member-remove = 移除

## Roles
roles = RAM 角色
roles-about = 角色没有自己的凭证。信任策略允许的主体可以在一段时间内扮演该角色。
roles-none = 还没有 RAM 角色。
role-title = RAM 角色 { $name }
role-name = 角色名称
role-name-about = 可使用字母、数字和 - 。
role-description = 描述
role-duration = 最大会话时间（秒）
role-duration-about = 取值范围为 3600 到 43200。
role-arn = 资源名称（ARN）
role-trust = 可扮演此角色的主体
role-trust-about = 由信任策略决定。修改立即生效，包括已经开始的会话。
role-policies-none = 此角色没有权限策略，因此不能执行任何操作。
trust-policy = 信任策略
trust-save = 保存信任策略
create-role = 创建 RAM 角色
delete-role = 删除 RAM 角色
delete-role-about = 请先移除角色的权限策略。该角色的会话会立即终止。

## What was done to them
done-access-key-enabled = 访问密钥已启用。
done-access-key-disabled = 访问密钥已禁用。此后使用它签名的调用都会被拒绝。
done-access-key-deleted = 访问密钥已删除。
done-attached = 已授予权限策略。
done-login-set = 此用户可以使用该密码登录。请通过安全的方式交付密码。
done-login-changed = 密码已修改，此用户的会话已终止。
done-login-removed = 密码已删除。
done-user-deleted = RAM 用户已删除。
done-group-created = 用户组已创建。
done-group-deleted = 用户组已删除。
done-member-added = 已将用户加入用户组。
done-member-removed = 已将用户移出用户组。
done-role-created = RAM 角色已创建。
done-role-deleted = RAM 角色已删除。
done-trust-saved = 信任策略已保存并立即生效。

## Refusals
error-EntityNotExist-Group = 该用户组不存在。
error-EntityNotExist-Role = 该角色不存在。
error-EntityNotExist-User-AccessKey = 该访问密钥不存在。
error-EntityNotExist-User-Group = 该用户不在此用户组中。
error-EntityNotExist-User-LoginProfile = 该用户没有设置密码。
error-EntityAlreadyExists-Group = 已存在同名的用户组。
error-EntityAlreadyExists-Role = 已存在同名的角色。
error-EntityAlreadyExists-User-Group = 该用户已在此用户组中。
error-EntityAlreadyExists-User-LoginProfile = 该用户已设置密码，请重置密码。
error-DeleteConflict-User-Group = 该用户仍属于用户组，请先移出。
error-DeleteConflict-User-AccessKey = 该用户仍有访问密钥，请先删除。
error-DeleteConflict-User-Policy = 该用户仍有权限策略，请先移除。
error-DeleteConflict-User-LoginProfile = 该用户仍设置了密码，请先删除密码。
error-DeleteConflict-User-MFADevice = 该用户仍绑定了 MFA 设备，请先解绑。
error-DeleteConflict-Group-User = 该用户组仍有成员，请先移除。
error-DeleteConflict-Group-Policy = 该用户组仍有权限策略，请先移除。
error-DeleteConflict-Role-Policy = 该角色仍有权限策略，请先移除。
error-InvalidParameter-UserName-InvalidChars = 用户名包含不允许的字符。请使用字母、数字和 . _ - 。
error-InvalidParameter-UserName-Length = 用户名过长。
error-InvalidParameter-DisplayName-InvalidChars = 显示名称包含不允许的字符。请使用文字、数字、空格和 . @ _ - 。
error-InvalidParameter-DisplayName-Length = 显示名称过长。
error-InvalidParameter-Comments-Length = 备注过长。
error-InvalidParameter-GroupName-InvalidChars = 用户组名称包含不允许的字符。请使用字母、数字和 . _ - 。
error-InvalidParameter-GroupName-Length = 用户组名称过长。
error-InvalidParameter-RoleName-InvalidChars = 角色名称包含不允许的字符。请使用字母、数字和 - 。
error-InvalidParameter-RoleName-Length = 角色名称过长。
error-InvalidParameter-Description-Length = 描述过长。
error-InvalidParameter-Password-TooWeak = 密码不符合账号的密码策略。请使用更长的密码或更多种类的字符。
error-LimitExceeded-User = RAM 用户数已达上限。
error-LimitExceeded-Group = 用户组数已达上限。
error-LimitExceeded-Role = RAM 角色数已达上限。
error-LimitExceeded-User-Group = 该用户加入的用户组数已达上限。
error-LimitExceeded-User-AccessKey = 该用户已有两个访问密钥，请先删除一个。
