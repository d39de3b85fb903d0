### Texts of the console in English.

## People
people-about = RAM users of this account: one for each person or program.
users = RAM users
users-none = There are no users yet.
users-more = There are more users. The command line lists them all.
create-user = Create user
user-title = User { $name }
user-name = User name
user-name-about = Letters, digits and . _ - .
user-display-name = Display name
user-comments = Comments
user-created = Created
user-events = Events of this user
access-keys = AccessKey pairs
access-keys-none = The user has no AccessKey pair.
access-key-id = AccessKey ID
access-key-secret = AccessKey Secret
access-key-status = Status
access-key-created = Created
access-key-active = Active
access-key-inactive = Inactive
access-key-new = New AccessKey pair
access-key-new-about = The secret is shown this once. Hand it over by a safe way.
create-access-key = Create AccessKey pair
policies = Policies
policies-none = The user has no policy, and so may do nothing.
policies-about = To give a right on a key, open the key.
detach = Take away
command-line = From the command line
command-line-about = With an AccessKey pair, the user decrypts like this.
