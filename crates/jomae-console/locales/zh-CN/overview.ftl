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
