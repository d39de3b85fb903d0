### 控制台的中文文本。术语遵循 docs/glossary.md。

## Overview
overview-title = 概览
overview-keys = 各状态的密钥数量
overview-first = 快速开始
first-key = 创建密钥
first-encrypt = 打开密钥并加密一段文本
first-user = 为同事创建 RAM 用户
first-grant = 打开密钥，将权限授予该用户，并限定为某一个加密上下文
first-audit = 在审计日志中查看操作记录，并加以证明
overview-count = 按状态统计密钥
overview-calls = 最近 24 小时的每分钟调用数
overview-calls-about = 本账号的调用（包括控制台发起的调用），由本服务节点在内存中统计。
overview-calls-since = 自本节点启动起统计：
minutes-most = 最多每分钟 { $count } 次。
minutes-table = 以表格显示（按小时，UTC）
minutes-busiest = 最忙的一分钟
overview-refusals = 最近的拒绝
overview-no-refusals = 没有被拒绝的调用。
overview-unused = 90 天未使用
overview-leaving = 即将执行的删除
overview-more = 查看全部
overview-health = 运行状态
overview-log = 审计日志写入
overview-log-good = 正常
overview-log-bad = 无法写入：运维人员处理之前，调用会被拒绝
overview-version = 版本
