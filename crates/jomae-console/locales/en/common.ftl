### Texts of the console in English.

## Around every page
product = Jomae console
skip = Skip to the content
language = Language
nav-label = Pages
nav-overview = Overview
nav-keys = Keys
nav-people = People
nav-audit = Audit log
nav-sessions = Sessions
signed-in-as = Signed in as
sign-out = Sign out
footer = Everything done here is an API call, with the same permission checks and the same audit log as calls by programs.
copy = Copy
copied = Copied
time-local = your time:
search = Search
delete = Delete
paging = Pages of the list
page-before = Previous page
page-next = Next page
page-older = Older events
page-of = Page { $page } of { $pages }
days = { $days } days
request-id = Request ID
malformed = This request could not be read. Please go back and try again.

## The calls behind a page
calls = The calls behind this page
calls-about = The same from a terminal, a program or a configuration. A plaintext is never repeated here.
calls-cli = Command line
calls-python = Python
calls-terraform = Terraform
calls-no-terraform = Terraform has no resource for this call.

## Refusals
refused = This was not done.
refused-kept = What you typed is still there. Change it, or ask whoever manages the permissions.
refused-code = Error code
refused-words = Message of the API
why-not-allowed = No policy allows { $permission } here.
why-denied = A policy denies { $permission } here.
why-other = The service gives the reason below.
error-MissingParameter = Something that is needed was left empty.
error-InvalidParameter = A value is not one that the service takes. Of a ciphertext: it is damaged, or its encryption context is another one.
error-Forbidden-KeyNotFound = There is no such key, or the ciphertext or its context is wrong.
error-Rejected-Disabled = The key is disabled. Enable it first.
error-Rejected-PendingDeletion = The key is waiting to be deleted. Cancel the deletion first.
error-Forbidden-AliasNotFound = There is no such alias.
error-AliasAlreadyExists = There is such an alias already.
error-Rejected-LimitExceeded = The quota of the account is reached.
error-Rejected-Throttling = Too many calls at once. Wait a moment and try again.
error-Throttling-User = Too many calls at once. Wait a moment and try again.
error-ServiceUnavailableTemporary = The service cannot answer for the moment. Try again soon.
error-InternalFailure = The service failed. The operator finds the cause under the request ID.
error-EntityAlreadyExists-User = There is a user of this name already.
error-EntityAlreadyExists-Policy = There is a policy of this name already.
error-EntityNotExist-User = There is no such user.
error-confirm = The ID that you typed is not that of this key.

## What was done
done-key-created = The key was created.
done-alias-refused = The key was created, but not the alias.
done-enabled = The key is enabled.
done-disabled = The key is disabled. Every call that uses it is refused from now on.
done-deletion-scheduled = The deletion is scheduled.
done-deletion-cancelled = The deletion is cancelled. The key is enabled again.
done-alias-created = The alias was created.
done-alias-deleted = The alias was deleted.
done-tagged = The tag was added.
done-untagged = The tag was removed.
done-rotated = The key has a new primary version.
done-granted = The policy was created and attached to the user.
done-detached = The policy was taken from the user.
done-user-created = The user was created.
done-session-ended = The session was ended.
