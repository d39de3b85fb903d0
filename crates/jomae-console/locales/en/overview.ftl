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
