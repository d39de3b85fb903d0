### Texts of the console in English.

## Signing in
sign-in-title = Sign in
sign-in = Sign in
sign-in-about = A sign-in link works once, and for a short time.
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

## With a password
sign-in-account = Account
sign-in-account-about = Its number or its name. Leave it empty if there is only one account, or if you type both as user@account.
sign-in-user = User name
sign-in-password = Password
sign-in-by-link = Sign in with a link
sign-in-with-link = Sign in with the link
sign-in-wrong = The account, the user name or the password is not right.
sign-in-wrong-code = The code is not right, or it was used already. Wait for the next one and type that.
sign-in-locked = Too many attempts from here. Try again in { $minutes } min.
sign-in-expired = Your password has expired. Ask whoever manages the users for a new one.
sign-in-ended = That took too long, or something has changed meanwhile. Sign in from the beginning.
sign-in-busy = Too many people sign in at the moment. Try again in some seconds.
sign-in-device-unbound = The MFA device is unbound, and all your sessions are ended. Sign in again.
sign-in-code-title = Code of your MFA device
sign-in-code-about = The password is right. Now type the code that your authenticator app shows for
sign-in-code = Six-digit code
sign-in-anew = Sign in as somebody else

## Through an organization
sign-in-organization = Through your organization
sign-in-organization-about = You sign in there, and come back here in a role.
sign-in-organization-failed = Your organization has not let you in here. Try again; if it stays so, ask whoever runs the service, who finds the cause in its log.
sign-in-arrived = You are signed in
sign-in-go-on = Go on to the page

## The own sign-in
me-title = My sign-in
me-must-change = Choose another password first. Then you go on to where you wanted.
me-must-bind = Bind an MFA device first. Then you go on to where you wanted.
me-account = You are signed in as the account itself, which has no password: links of the operator let it in.
me-role = You are signed in through your organization, in a role. Password and second factor are managed there.
me-with-mfa = This session began with a password and a code of your MFA device.
me-without-mfa = This session began without a code of an MFA device: policies that ask for one do not allow anything in it.
me-password = Password
me-password-about = Another password ends your other sessions. This one goes on.
me-old-password = Password until now
me-new-password = New password
me-new-password-again = New password, once more
me-change-password = Change the password
rule-length = At least { $number } characters
rule-lowercase = A lower-case letter
rule-uppercase = An upper-case letter
rule-numbers = A digit
rule-symbols = A character that is neither letter nor digit
rule-reuse = None of your last { $number } passwords
me-device = MFA device
me-device-unknown = Your policies do not let you see whether you have a device.
me-device-none = With a device, an app on your phone shows a code that is asked for at each sign-in.
me-device-new = Set up a device
me-device-bound = You have a device:
me-device-unbind-about = Without it, the password alone lets you in. Unbinding ends all your sessions, this one too.
me-device-unbind = Unbind the device
me-device-scan = Scan the picture with an authenticator app (TOTP), or type the key there by hand.
me-device-picture = QR code with the key below, for an authenticator app
me-device-seed = Key
me-device-serial = Serial number
me-device-codes = Then type two codes that the app shows one after the other.
me-device-code-1 = First code
me-device-code-2 = The code after it
me-device-bind = Bind the device
me-device-drop = Give up this device
done-password-changed = The password is changed. Your other sessions are ended.
done-device-bound = The device is bound. From the next sign-in on, its code is asked for.
done-device-dropped = The device was deleted before it was bound.
error-passwords-differ = The two new passwords are not the same.
error-InvalidParameter-OldPassword-Incorrect = The password until now is not right.
error-InvalidParameter-NewPassword-TooWeak = The new password is not what the rules of the account ask for.
error-InvalidParameter-NewPassword-ReusePrevention = The new password is one that you had before.
error-CheckAuthenticationCodeFail = The two codes are not right. Type two that follow each other, both new.
error-EntityAlreadyExists-User-MFADevice = You have an MFA device already.
error-LimitExceeded-VirtualMFADevice = The account has as many MFA devices as it can have.
error-SessionEnded = Your session has ended. Open the page again to sign in.
error-PasswordMustChange = Another password has to be chosen first, on the page “My sign-in”.
error-DeviceMustBeBound = An MFA device has to be bound first, on the page “My sign-in”.

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
