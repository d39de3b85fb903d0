### 控制台的中文文本。术语遵循 docs/glossary.md。

## Audit log
audit-about = 此账号的全部调用记录，包括允许和被拒绝的调用，按时间倒序显示最近 7 天。
events-none = 没有符合条件的事件。
event-by = 查询条件
event-value = 值
event-kind = 类型
event-kind-all = 全部
event-kind-api = 程序调用
event-kind-console = 控制台操作
event-kind-sign-in = 登录
event-kind-service = 服务自动操作
event-time = 时间
event-name = 事件名称
event-user = 用户
event-resource = 资源（例如密钥 ID）
event-address = IP 地址
event-browser = 客户端
event-outcome = 结果
event-done = 允许
event-refused = 拒绝
event-reason = 原因
event-reason-about = 根据当前的权限策略重新判定的结果。
event-title = 事件 { $name }
event-whole = 事件全文
proof = 证明
proof-about = 向任何人证明该事件在日志中且未被更改。验证只需要日志的公钥，无需访问本服务。
proof-download = 下载包含证明
proof-key = 日志的公钥
proof-not-yet = 暂时无法生成证明：该事件需要被下一个签名检查点覆盖。请几秒后重试。
proof-verify = 在此页验证证明
proof-good = 已在此浏览器中验证：该事件在日志中且未被改动，包含于日志密钥签名的检查点。
proof-bad = 证明不成立。请联系运维人员。
proof-cannot = 此浏览器不支持验证 Ed25519 签名。请用下面的命令验证下载的证明。
