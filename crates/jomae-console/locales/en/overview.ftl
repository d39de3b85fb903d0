### Texts of the console in English.

## Overview
overview-title = Overview
overview-keys = Keys by state
overview-first = First steps
first-key = Create a key
first-encrypt = Open the key and encrypt a text with it
first-user = Create a user for a colleague
first-grant = Open the key and give the user a right, for one context only
first-audit = See in the audit log who did what, and prove it
overview-count = Count the keys by state
overview-calls = Calls per minute over the last day
overview-calls-about = Calls of your account, those of the console included, as this node of the service has counted them in memory.
overview-calls-since = It has counted since its start:
minutes-most = At most { $count } in a minute.
minutes-table = By the hour (UTC), as a table
minutes-busiest = Busiest minute
overview-refusals = Newest refusals
overview-no-refusals = Nothing was refused.
overview-unused = Not used for 90 days
overview-leaving = Deletions to come
overview-more = All of them
overview-health = Health
overview-log = Audit log
overview-log-good = Can be written
overview-log-bad = Cannot be written: calls are refused until the operator has helped
overview-version = Version
