### Texts of the console in English.

## Signing in
sign-in-title = Sign in
sign-in = Sign in
sign-in-about = You need a sign-in link. It works once, and for a short time.
sign-in-token = Token of the link
sign-in-token-about = Filled in by the link. Without scripts, paste what stands after # in the link.
sign-in-failed = This link is not valid: it was used already, or its time is over. Ask for another one.
sign-in-no-link = No link?
sign-in-no-link-about = Whoever runs the service makes one on its machine:
signed-out-title = Signed out
signed-out = You are signed out. Your session can no longer be used.
forged-title = Not accepted
forged = This form does not come from your session, so nothing was done. Open the page again and repeat it there.
not-found-title = There is no such page
not-found = The address is wrong, or what it named is gone.
too-large-title = Too much at once
too-large = The form is larger than the console takes. Use the command line for files.

## Sessions
sessions-about = Everybody of this account who is signed in to the console. A session ends by itself after some time without use.
session-user = User
session-began = Signed in
session-last = Last use
session-address = Address
session-browser = Browser
session-action = Action
session-own = This session
session-end = End the session of
