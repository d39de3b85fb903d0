//! What help and manual pages say beyond the arguments: examples, environment, exit status.

use clap::{Arg, Command, CommandFactory as _};

use crate::args::Args;

/// The command line, with everything that its help shows.
pub fn command() -> Command {
    let sections = [("Exit status", exit_status(""))];
    with_sections(Args::command(), "", &[]).after_long_help(as_text(&sections))
}

/// Sections below the options, of the command behind `jomae`.
pub fn sections(path: &str, arguments: &[Arg]) -> Vec<(&'static str, String)> {
    let examples: String = examples(path).iter().flat_map(|line| [line, "\n"]).collect();
    let mut sections =
        vec![("Examples", examples), ("Environment", environment(arguments)), ("Exit status", exit_status(path))];
    sections.retain(|(_, text)| !text.is_empty());
    sections
}

fn with_sections(command: Command, path: &str, inherited: &[Arg]) -> Command {
    let all: Vec<Arg> = inherited.iter().chain(command.get_arguments()).cloned().collect();
    if command.has_subcommands() {
        return command.mut_subcommands(|sub| {
            let path = format!("{path} {}", sub.get_name());
            with_sections(sub, path.trim_start(), &all)
        });
    }
    let sections = sections(path, &all);
    command.after_long_help(as_text(&sections))
}

fn as_text(sections: &[(&str, String)]) -> String {
    let section = |(head, text): &(&str, String)| {
        let lines: String = text.lines().flat_map(|line| ["  ", line, "\n"]).collect();
        format!("{head}:\n{lines}")
    };
    sections.iter().map(section).collect::<Vec<_>>().join("\n").trim_end().to_owned()
}

/// Variables that the arguments are read from too, and those that have no argument.
pub fn environment(arguments: &[Arg]) -> String {
    let mut lines: Vec<(String, String)> = Vec::new();
    for argument in arguments {
        if let (Some(name), Some(help)) = (argument.get_env(), argument.get_help()) {
            lines.push((name.to_string_lossy().into_owned(), help.to_string().trim_end_matches('.').to_owned()));
        }
    }
    let has = |id: &str| arguments.iter().any(|argument| argument.get_id() == id);
    let mut more = |name: &str, help: &str| lines.push((name.to_owned(), help.to_owned()));
    if has("endpoint") {
        more("ALIBABA_CLOUD_ACCESS_KEY_ID", "ID of the access key that calls");
        more("ALIBABA_CLOUD_ACCESS_KEY_SECRET", "Its secret");
    }
    if has("data_dir") {
        more("JOMAE_ROOT_PASSPHRASE", "The passphrase, where the root key is one");
    }
    if has("output") {
        more("NO_COLOR", "If it is set, tables have no colours");
    }
    let width = lines.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
    lines.iter().fold(String::new(), |text, (name, help)| text + &format!("{name:width$}  {help}\n"))
}

/// What each exit status means; the path is empty for what nearly all have.
pub fn exit_status(path: &str) -> String {
    let lines: &[&str] = match path {
        "policy simulate" => &[
            "0  allowed; with --replay: no call would be denied",
            "1  denied; with --replay: calls would be denied",
            "2  wrong usage, or a failure on this side",
            "4  no answer",
        ],
        "audit verify" => &["0  the log is intact", "1  it is not, or cannot be read", "2  wrong usage"],
        "serve" => &[
            "0  stopped",
            "1  a failure on this side: a file, the configuration, damage",
            "2  wrong usage",
            "5  the token with the root key must not be asked for its PIN again before that is mended: do not restart",
        ],
        "health" => &["0  it can", "2  wrong usage", "4  it cannot, or does not answer"],
        "doctor" => &["0  nothing is wrong", "1  something is, and the output says what", "2  wrong usage"],
        _ => &[
            "0  done",
            "1  a failure on this side: a file, the configuration, damage",
            "2  wrong usage",
            "3  the service refused the call",
            "4  the service failed or gave no answer",
        ],
    };
    lines.iter().flat_map(|line| [line, "\n"]).collect()
}

fn examples(path: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(of, _)| *of == path).map_or(&[], |(_, lines)| lines)
}

/// Examples of each command, which a test parses.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("serve", &["jomae serve", "jomae serve --data-dir /var/lib/jomae --config /etc/jomae/jomae.toml"]),
    (
        "call",
        &[
            "jomae call --list",
            "jomae call Encrypt --help",
            "jomae call Encrypt --KeyId alias/orders --Plaintext @server.key --field CiphertextBlob",
        ],
    ),
    (
        "encrypt",
        &[
            "jomae encrypt --key orders --in password --out password.encrypted",
            "printf %s \"$PASSWORD\" | jomae encrypt --key orders --context host=db1",
        ],
    ),
    (
        "decrypt",
        &[
            "jomae decrypt --in password.encrypted",
            "jomae decrypt --context host=db1 --in db1.encrypted --out /run/db1.password",
        ],
    ),
    (
        "key create",
        &["jomae key create --alias orders --rotate-every 365d", "jomae key create --spec EC_P256 --usage SIGN/VERIFY"],
    ),
    ("key import", &["jomae key import orders --material key.bin --expires 90d"]),
    ("key wrap", &["jomae key wrap --public-key public.der --material key.bin"]),
    ("key rotate", &["jomae key rotate orders"]),
    ("key versions", &["jomae key versions orders"]),
    ("key usage", &["jomae key usage orders", "jomae key usage orders --field LastUsed"]),
    (
        "key list",
        &[
            "jomae key list",
            "jomae key list --state PendingDeletion --field KeyId",
            "jomae key list --long --query \"[?KeySpec=='RSA_2048'].KeyId\"",
        ],
    ),
    ("key describe", &["jomae key describe orders", "jomae key describe orders --field Arn"]),
    ("key set-description", &["jomae key set-description orders 'the orders database'"]),
    ("key enable", &["jomae key enable orders"]),
    ("key disable", &["jomae key disable orders"]),
    (
        "key schedule-deletion",
        &["jomae key schedule-deletion orders --days 30", "jomae key schedule-deletion orders --yes"],
    ),
    ("key cancel-deletion", &["jomae key cancel-deletion 05754286-3ba2-4fa6-8d41-4323aca6e5fd"]),
    ("key protect", &["jomae key protect orders --reason 'ten years of invoices'"]),
    ("key unprotect", &["jomae key unprotect orders"]),
    ("alias create", &["jomae alias create orders 05754286-3ba2-4fa6-8d41-4323aca6e5fd"]),
    ("alias update", &["jomae alias update orders 05754286-3ba2-4fa6-8d41-4323aca6e5fd"]),
    ("alias delete", &["jomae alias delete orders"]),
    ("alias list", &["jomae alias list", "jomae alias list orders --field AliasName"]),
    (
        "file encrypt",
        &[
            "jomae file encrypt --key orders backup.tar",
            "tar c /etc | jomae file encrypt --key orders --context host=db1 - -o etc.tar.jomae",
        ],
    ),
    (
        "file decrypt",
        &["jomae file decrypt backup.tar.jomae", "jomae file decrypt --context host=db1 etc.tar.jomae - | cat"],
    ),
    ("file inspect", &["jomae file inspect backup.tar.jomae"]),
    (
        "user create",
        &[
            "jomae user create billing --policy billing.json --env-file billing.env",
            "jomae user create zhang --policy AliyunKMSReadOnlyAccess --group officers",
        ],
    ),
    ("user list", &["jomae user list", "jomae user list --field UserName"]),
    ("user show", &["jomae user show billing"]),
    ("user grant", &["jomae user grant billing --policy AliyunKMSCryptoUserAccess"]),
    ("user revoke", &["jomae user revoke billing --policy AliyunKMSCryptoUserAccess"]),
    ("user keys create", &["jomae user keys create billing --env-file billing-new.env"]),
    ("user keys list", &["jomae user keys list billing"]),
    ("user keys disable", &["jomae user keys disable billing LTAI5tExample0000000000"]),
    ("user keys enable", &["jomae user keys enable billing LTAI5tExample0000000000"]),
    ("user keys delete", &["jomae user keys delete billing LTAI5tExample0000000000"]),
    ("user delete", &["jomae user delete billing"]),
    ("group create", &["jomae group create officers --policy AliyunActionTrailReadOnlyAccess"]),
    ("group list", &["jomae group list"]),
    ("group show", &["jomae group show officers"]),
    ("group add", &["jomae group add officers zhang li"]),
    ("group remove", &["jomae group remove officers li"]),
    ("group grant", &["jomae group grant officers --policy read-keys.json"]),
    ("group revoke", &["jomae group revoke officers --policy read-keys"]),
    ("group delete", &["jomae group delete officers"]),
    (
        "role create",
        &[
            "jomae role create deploy --trust acs:ram::1234567890123456:user/ci --policy deploy.json",
            "jomae role create partner --trust 1234567890123456 --max-session 12h",
        ],
    ),
    ("role list", &["jomae role list"]),
    ("role show", &["jomae role show deploy"]),
    ("role trust", &["jomae role trust deploy trust.json"]),
    ("role grant", &["jomae role grant deploy --policy deploy.json"]),
    ("role revoke", &["jomae role revoke deploy --policy deploy"]),
    ("role delete", &["jomae role delete deploy"]),
    (
        "session start",
        &[
            "jomae session start deploy --for 15m --env-file deploy.env",
            "jomae session start acs:ram::1234567890123456:role/partner --external-id 4711",
        ],
    ),
    ("session whoami", &["jomae session whoami"]),
    ("account create", &["jomae account create --name 'tenant 7' --env-file tenant-7.env"]),
    ("account rename", &["jomae account rename 1234567890123456 'tenant seven'"]),
    ("account disable", &["jomae account disable 1234567890123456"]),
    ("account enable", &["jomae account enable 1234567890123456"]),
    ("account delete", &["jomae account delete 1234567890123456"]),
    ("account list", &["jomae account list", "jomae account list --field Account"]),
    ("account key", &["jomae account key 1234567890123456 --env-file tenant-7.env"]),
    ("policy check", &["jomae policy check billing.json", "jomae policy check --form trust trust.json"]),
    (
        "policy simulate",
        &[
            "jomae policy simulate --principal acs:ram::1234567890123456:user/billing --action kms:Decrypt --context customer=4711",
            "jomae policy simulate --replay --account 1234567890123456 --policy draft.json --instead-of billing --from 7d",
        ],
    ),
    (
        "audit verify",
        &[
            "jomae audit verify",
            "jomae audit verify --log /mnt/copy/audit --key key.pub --checkpoint kept.checkpoint",
            "jomae audit verify --archive /mnt/archive",
            "jomae audit verify --archive --config /etc/jomae/jomae.toml",
        ],
    ),
    ("audit prove", &["jomae audit prove 0ba1c2d3-5e6f-7081-92a3-b4c5d6e7f809 --to decrypt.proof"]),
    ("audit check-proof", &["jomae audit check-proof decrypt.proof --key key.pub"]),
    ("audit consistency", &["jomae audit consistency kept.checkpoint"]),
    ("audit receipt", &["jomae audit receipt @receipt --key key.pub"]),
    ("audit export", &["jomae audit export --to november.events --from 2026-11-01 --until 2026-12-01"]),
    ("audit check-export", &["jomae audit check-export november.events --key key.pub"]),
    ("audit check-drill", &["jomae audit check-drill drills/2026-11-30T062233Z.txt --key key.pub"]),
    ("audit checkpoint", &["jomae audit checkpoint"]),
    (
        "audit search",
        &[
            "jomae audit search --key orders --from 1d",
            "jomae audit search --user billing --event-name Decrypt --field eventId",
        ],
    ),
    ("audit tail", &["jomae audit tail --follow", "jomae audit tail -n 100 --log /var/lib/jomae/audit"]),
    ("backup create", &["jomae backup create --data-dir /var/lib/jomae --to /mnt/backups"]),
    ("backup list", &["jomae backup list --from /mnt/backups"]),
    ("backup verify", &["jomae backup verify --from /mnt/backups --root-key root.key"]),
    (
        "restore",
        &[
            "jomae restore --from /mnt/backups --root-key root.key --data-dir /var/lib/jomae",
            "jomae restore --from /mnt/backups --share 1.txt --share 3.txt --share 4.txt --data-dir /var/lib/jomae",
        ],
    ),
    ("drill", &["jomae drill --from /mnt/backups --share 1.txt --share 3.txt --share 4.txt"]),
    ("doctor", &["jomae doctor --data-dir /var/lib/jomae"]),
    ("health", &["jomae health", "jomae health --admin http://127.0.0.1:8444"]),
    ("store copy", &["jomae store copy --from jomae.toml --to jomae-etcd.toml"]),
    ("cluster status", &["jomae cluster status --config /etc/jomae/jomae.toml", "jomae cluster status --output json"]),
    ("cluster token", &["jomae cluster token --node kms-4 --for 1h --to kms-4.token"]),
    ("cluster join", &["jomae cluster join --config /etc/jomae/jomae.toml --token kms-4.token"]),
    (
        "cluster leave",
        &["jomae cluster leave --config /etc/jomae/jomae.toml", "jomae cluster leave --node kms-3 --yes"],
    ),
    ("console link", &["jomae console link --data-dir /var/lib/jomae"]),
    ("root status", &["jomae root status --data-dir /var/lib/jomae"]),
    ("root rotate", &["jomae root rotate --data-dir /var/lib/jomae"]),
    ("root add file", &["jomae root add file --name safe --to /media/usb/root.key --data-dir /var/lib/jomae"]),
    ("root add passphrase", &["jomae root add passphrase --from /run/secrets/passphrase --data-dir /var/lib/jomae"]),
    (
        "root add shares",
        &[
            "jomae root add shares --open 3 --of 5 --to /media/usb/shares --qr",
            "jomae root add shares --open 2 --of 3 --to shares --recipient age1g4hlljgsrtkn6xqrs9epn945fujrz7tjtqj4g9vnrdd3mgfrxsqqplf8l4 --recipient age1lvyvwawkr0mcnnnncaghunadrqkmuf9e6507x9y920xxpp866cnql7dp2z --recipient 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti ada@example.com'",
        ],
    ),
    ("root add pkcs11", &["jomae root add pkcs11 --name hsm --config /etc/jomae/jomae.toml"]),
    ("root add kms", &["jomae root add kms --config /etc/jomae/jomae.toml"]),
    ("root remove", &["jomae root remove file --data-dir /var/lib/jomae"]),
    ("shred status", &["jomae shred status --data-dir /var/lib/jomae"]),
    ("shred shares", &["jomae shred shares --open 3 --of 5 --to /media/usb/shares --qr"]),
    (
        "shred recover",
        &[
            "jomae shred recover --share share-1.txt --share share-4.txt --share share-5.txt --config /etc/jomae/jomae.toml",
        ],
    ),
    ("domain-key rotate", &["jomae domain-key rotate --data-dir /var/lib/jomae"]),
    ("completions", &["jomae completions bash", ". <(jomae completions bash)"]),
    ("man", &["jomae man", "jomae man key create", "jomae man --directory /usr/local/share/man/man1"]),
];

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::*;

    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        for sub in command.get_subcommands().filter(|sub| !sub.is_hide_set()) {
            let path = format!("{path} {}", sub.get_name()).trim_start().to_owned();
            if sub.has_subcommands() { leaves(sub, &path, found) } else { found.push(path) }
        }
    }

    /// The words behind each `jomae` of a command line, as a shell gives them.
    fn words(line: &str) -> Vec<Vec<String>> {
        let script =
            format!("jomae() {{ printf '%s\\037' \"$@\" >&3; printf '\\n' >&3; }}; {{ {line}; }} 3>&1 >/dev/null");
        let output = std::process::Command::new("bash").args(["-c", &script]).env("PASSWORD", "x").output().unwrap();
        let text = String::from_utf8(output.stdout).unwrap();
        text.lines().map(|line| line.split_terminator('\u{1f}').map(str::to_owned).collect()).collect()
    }

    #[test]
    fn every_command_has_examples_that_it_takes() {
        let mut paths = Vec::new();
        leaves(&Args::command(), "", &mut paths);
        assert!(paths.len() > 50, "{paths:?}");
        for path in &paths {
            assert!(!examples(path).is_empty(), "jomae {path} has no example");
            for line in examples(path) {
                let calls = words(line);
                assert_eq!(calls.len(), 1, "{line}");
                let given = std::iter::once("jomae".to_owned()).chain(calls[0].iter().cloned());
                assert!(calls[0].join(" ").starts_with(path.as_str()), "{line} is not of jomae {path}");
                if let Err(error) = Args::try_parse_from(given) {
                    panic!("{line}: {error}");
                }
            }
        }
    }

    #[test]
    fn sections_of_a_command() {
        let mut command = command();
        let list = command.find_subcommand_mut("key").unwrap().find_subcommand_mut("list").unwrap();
        let help = list.get_after_long_help().unwrap().to_string();
        for part in
            ["Examples:\n  jomae key list\n", "Environment:\n", "  JOMAE_ENDPOINT ", "Exit status:\n  0  done\n"]
        {
            assert!(help.contains(part), "{part:?} is not in {help}");
        }
        // A command that calls nobody has no variables of a connection.
        let check = command.find_subcommand("policy").unwrap().find_subcommand("check").unwrap();
        assert!(!check.get_after_long_help().unwrap().to_string().contains("JOMAE_ENDPOINT"));
    }
}
