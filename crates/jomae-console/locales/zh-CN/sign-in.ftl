### 控制台的中文文本。术语遵循 docs/glossary.md。

## Signing in
sign-in-title = 登录
sign-in = 登录
sign-in-about = 登录需要使用登录链接。链接仅在短时间内有效，且只能使用一次。
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
