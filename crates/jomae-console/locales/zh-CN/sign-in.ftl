### 控制台的中文文本。术语遵循 docs/glossary.md。

## Signing in
sign-in-title = 登录
sign-in = 登录
sign-in-about = 登录链接仅在短时间内有效，且只能使用一次。
sign-in-token = 链接中的令牌
sign-in-token-about = 由链接自动填入。如果禁用了脚本，请粘贴链接中 # 之后的内容。
sign-in-failed = 该链接无效：已被使用或已过期。请重新获取链接。
sign-in-no-link = 没有链接？
sign-in-no-link-about = 由服务的运维人员在其所在机器上生成：
signed-out-title = 已退出登录
signed-out = 您已退出登录，该会话不能再使用。
forged-title = 请求未被接受
forged = 该表单不属于您当前的会话，因此未执行任何操作。请重新打开页面后再试。
not-found-title = 页面不存在
not-found = 地址有误，或其所指的内容已不存在。
too-large-title = 内容过大
too-large = 表单内容超过控制台的上限。处理文件请使用命令行。

## With a password
sign-in-account = 账号
sign-in-account-about = 账号的编号或名称。如果只有一个账号，或以“用户名@账号”的形式填写用户名，可以留空。
sign-in-user = 用户名
sign-in-password = 密码
sign-in-by-link = 使用链接登录
sign-in-with-link = 使用链接登录
sign-in-wrong = 账号、用户名或密码不正确。
sign-in-wrong-code = 验证码不正确，或已被使用。请等待下一个验证码后再输入。
sign-in-locked = 从此处尝试的次数过多。请在 { $minutes } 分钟后重试。
sign-in-expired = 您的密码已过期。请联系管理用户的人员重新设置密码。
sign-in-ended = 操作超时，或期间设置已发生变化。请重新登录。
sign-in-busy = 当前登录人数过多。请几秒后重试。
sign-in-device-unbound = MFA设备已解绑，您的所有会话均已结束。请重新登录。
sign-in-code-title = MFA设备的验证码
sign-in-code-about = 密码正确。请输入身份验证应用中显示的验证码，用户：
sign-in-code = 6位验证码
sign-in-anew = 以其他用户身份登录

## Through an organization
sign-in-organization = 通过所在组织登录
sign-in-organization-about = 您将在组织的页面登录，然后以角色身份返回此处。
sign-in-organization-failed = 未能通过所在组织登录。请重试；如仍然失败，请联系服务的运维人员，原因记录在服务日志中。
sign-in-arrived = 您已登录
sign-in-go-on = 继续访问页面

## The own sign-in
me-title = 我的登录设置
me-must-change = 请先设置新密码，然后将转到您要访问的页面。
me-must-bind = 请先绑定MFA设备，然后将转到您要访问的页面。
me-account = 您正以账号自身登录。账号没有密码，通过运维人员生成的链接登录。
me-role = 您已通过所在组织的身份提供商以角色登录。密码和第二重验证由该组织管理。
me-with-mfa = 本次会话通过密码和MFA设备的验证码建立。
me-without-mfa = 本次会话未使用MFA设备的验证码：要求MFA的权限策略在此会话中不会授予权限。
me-password = 密码
me-password-about = 修改密码会结束您的其他会话，当前会话将继续。
me-old-password = 当前密码
me-new-password = 新密码
me-new-password-again = 再次输入新密码
me-change-password = 修改密码
rule-length = 至少 { $number } 个字符
rule-lowercase = 包含小写字母
rule-uppercase = 包含大写字母
rule-numbers = 包含数字
rule-symbols = 包含字母和数字以外的字符
rule-reuse = 不能与最近 { $number } 次的密码相同
me-device = MFA设备
me-device-unknown = 您的权限策略不允许查看是否已绑定设备。
me-device-none = 绑定设备后，每次登录都需要输入手机应用中显示的验证码。
me-device-new = 设置设备
me-device-bound = 已绑定的设备：
me-device-unbind-about = 解绑后，仅凭密码即可登录。解绑会结束您的所有会话，包括当前会话。
me-device-unbind = 解绑设备
me-device-scan = 请用身份验证应用（TOTP）扫描图片，或手动输入密钥。
me-device-picture = 供身份验证应用扫描的二维码，内容与下方密钥相同
me-device-seed = 密钥
me-device-serial = 序列号
me-device-codes = 然后依次输入应用连续显示的两个验证码。
me-device-code-1 = 第一个验证码
me-device-code-2 = 随后显示的验证码
me-device-bind = 绑定设备
me-device-drop = 放弃设置此设备
done-password-changed = 密码已修改，您的其他会话已结束。
done-device-bound = 设备已绑定。从下次登录起需要输入验证码。
done-device-dropped = 已删除尚未绑定的设备。
error-passwords-differ = 两次输入的新密码不一致。
error-InvalidParameter-OldPassword-Incorrect = 当前密码不正确。
error-InvalidParameter-NewPassword-TooWeak = 新密码不符合账号的密码策略。
error-InvalidParameter-NewPassword-ReusePrevention = 新密码与以前使用过的密码相同。
error-CheckAuthenticationCodeFail = 两个验证码不正确。请输入连续显示的两个新验证码。
error-EntityAlreadyExists-User-MFADevice = 您已绑定MFA设备。
error-LimitExceeded-VirtualMFADevice = 账号的MFA设备数量已达上限。
error-SessionEnded = 您的会话已结束。请重新打开页面并登录。
error-PasswordMustChange = 请先在“我的登录设置”页面修改密码。
error-DeviceMustBeBound = 请先在“我的登录设置”页面绑定MFA设备。

## Sessions
sessions-about = 此账号在控制台中的所有登录会话。一段时间未使用的会话会自动结束。
session-user = 用户
session-began = 登录时间
session-last = 最近使用
session-address = IP 地址
session-browser = 浏览器
session-action = 操作
session-own = 当前会话
session-end = 结束会话：
