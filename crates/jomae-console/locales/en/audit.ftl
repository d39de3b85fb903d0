### Texts of the console in English.

## Audit log
audit-about = Every call of this account, allowed or refused, newest first; without a choice, those of the last seven days.
events-none = There are no such events.
event-by = Search by
event-value = Value
event-kind = Kind
event-kind-all = All
event-kind-api = Calls by programs
event-kind-console = Done in the console
event-kind-sign-in = Sign-ins
event-kind-service = Done by the service
event-time = Time
event-name = Event
event-user = User
event-resource = Resource (a key ID, say)
event-address = Address
event-browser = Program
event-outcome = Outcome
event-done = Allowed
event-refused = Refused
event-reason = Reason
event-reason-about = Decided again with the policies as they are now.
event-title = Event { $name }
event-whole = The whole event
proof = Proof
proof-about = The proof shows to anybody that this event is in the log, and that nobody has changed it. It is checked with the public key of the log, without this service.
proof-download = Download the inclusion proof
proof-key = Public key of the log
proof-not-yet = The proof cannot be made yet: the next signed checkpoint has to cover the event. Try again in a few seconds.
proof-verify = Verify the proof here
proof-good = Verified in this browser: the event is in the log, unchanged, under a checkpoint that the log’s key has signed.
proof-bad = The proof does not hold. Tell the operator.
proof-cannot = This browser cannot check Ed25519 signatures. Check the downloaded proof by the command below.
