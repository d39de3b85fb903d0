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
overview-count = 状態別に数える
overview-calls = 過去 24 時間の 1 分あたりの呼び出し
overview-calls-about = このアカウントの呼び出し （コンソールからのものを含む）を、このノードがメモリ上で数えた結果です。
overview-calls-since = このノードの起動以降の集計です：
minutes-most = 最大で 1 分間に { $count } 件。
minutes-table = 1 時間ごと（UTC）の表で表示
minutes-busiest = 1 分間の最大
overview-refusals = 最近の拒否
overview-no-refusals = 拒否された呼び出しはありません。
overview-unused = 90 日間未使用
overview-leaving = 予定されている削除
overview-more = すべて表示
overview-health = 稼働状態
overview-log = 監査ログの書き込み
overview-log-good = 正常
overview-log-bad = 書き込めません。運用担当者が対処するまで、呼び出しは拒否されます。
overview-version = サービスのバージョン
