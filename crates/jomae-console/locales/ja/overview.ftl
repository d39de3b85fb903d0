### コンソールの日本語テキスト。用語は docs/glossary.md に従う。

## Overview
overview-title = 概要
overview-keys = 状態別のキー
overview-first = はじめに
first-key = キーを作成する
first-encrypt = キーを開いて、テキストを暗号化する
first-user = 同僚の RAM ユーザーを作成する
first-grant = キーを開いて、特定の暗号化コンテキストだけで使える権限を RAM ユーザーに付与する
first-audit = 誰が何をしたかを監査ログで確認し、証明する
