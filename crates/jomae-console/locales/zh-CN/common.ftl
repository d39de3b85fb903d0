### 控制台的中文文本。术语遵循 docs/glossary.md。

## Around every page
product = Jomae 控制台
skip = 跳到正文
language = 语言
nav-label = 导航
nav-overview = 概览
nav-keys = 密钥
nav-people = 用户
nav-audit = 审计日志
nav-sessions = 会话
signed-in-as = 当前登录：
sign-out = 退出登录
footer = 此处的每项操作都是一次 API 调用，与程序的调用经过同样的权限检查，并记入同一份审计日志。
copy = 复制
copied = 已复制
time-local = 本地时间：
search = 查询
delete = 删除
paging = 列表分页
page-before = 上一页
page-next = 下一页
page-older = 更早的事件
page-of = 第 { $page } 页，共 { $pages } 页
days = { $days } 天
request-id = 请求 ID
malformed = 无法读取该请求。请返回后重试。

## The calls behind a page
calls = 此页面所做的 API 调用
calls-about = 在终端、程序或配置中完成同样操作的写法。此处不会重复显示明文。
calls-cli = 命令行
calls-python = Python
calls-terraform = Terraform
calls-no-terraform = Terraform 没有与此调用对应的资源。

## Refusals
refused = 操作未执行。
refused-kept = 您输入的内容已保留。请修改后重试，或联系权限管理员。
refused-code = 错误码
refused-words = API 返回的信息
why-not-allowed = 没有任何权限策略允许 { $permission }。
why-denied = 有权限策略拒绝了 { $permission }。
why-other = 服务给出的原因如下。
error-MissingParameter = 有必填项未填写。
error-InvalidParameter = 有取值不被服务接受。如果是密文：密文已损坏，或加密上下文不一致。
error-Forbidden-KeyNotFound = 密钥不存在，或者密文、加密上下文不正确。
error-Rejected-Disabled = 密钥已禁用。请先启用密钥。
error-Rejected-PendingDeletion = 密钥处于待删除状态。请先取消删除。
error-Forbidden-AliasNotFound = 该别名不存在。
error-AliasAlreadyExists = 同名的别名已存在。
error-Rejected-LimitExceeded = 已达到账号的配额上限。
error-Rejected-Throttling = 调用过于频繁。请稍候重试。
error-Throttling-User = 调用过于频繁。请稍候重试。
error-ServiceUnavailableTemporary = 服务暂时不可用。请稍后重试。
error-InternalFailure = 服务出现故障。运维人员可凭请求 ID 查找原因。
error-EntityAlreadyExists-User = 同名的 RAM 用户已存在。
error-EntityAlreadyExists-Policy = 同名的权限策略已存在。
error-EntityNotExist-User = 该 RAM 用户不存在。
error-confirm = 输入的 ID 与此密钥的 ID 不一致。

## What was done
done-key-created = 密钥已创建。
done-alias-refused = 密钥已创建，但别名未能创建。
done-enabled = 密钥已启用。
done-disabled = 密钥已禁用。此后使用该密钥的调用都会被拒绝。
done-deletion-scheduled = 已计划删除密钥。
done-deletion-cancelled = 已取消删除密钥，密钥恢复启用。
done-alias-created = 别名已创建。
done-alias-deleted = 别名已删除。
done-tagged = 标签已添加。
done-untagged = 标签已删除。
done-rotated = 已创建新的主版本。
done-granted = 已创建权限策略并授予该 RAM 用户。
done-detached = 已移除该 RAM 用户的权限策略。
done-user-created = RAM 用户已创建。
done-session-ended = 会话已结束。
