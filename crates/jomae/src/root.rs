//! `jomae root`: which providers open the store, whether its service runs or not.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, IsTerminal as _, Read as _, Write as _},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::Path,
};

use jomae_crypto::{
    root::{PASSPHRASE_BYTES_MAX, RootMaterial},
    secret::Key256,
    shares::{self, Share},
};
use jomae_log::verify;
use jomae_server::{
    bootstrap::audit_dir,
    config::{Config, RootKeyProvider},
    operator::{self, OperatorError},
    root_key::{self, people::Person},
};
use qrcode::{QrCode, render::svg};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use crate::{
    account::failure,
    args::{AddProvider, Opening, Root, Show},
    confirm,
    connect::block_on,
    output::{self, Failure},
    serve, show,
};

/// Width and height of a QR code, in pixels of the picture.
const QR_PIXELS: u32 = 480;

pub fn run(command: &Root) -> Result<(), Failure> {
    match command {
        Root::Status { show, opening } => status(show, &config(opening)?),
        Root::Rotate { opening } => {
            let config = config(opening)?;
            let rotated = block_on(async { operator::rotate_root(&config).await.map_err(failure) })?;
            warn(&rotated);
            output::line(&format!("the root key is now {}", text(&rotated, "root_id")))
        }
        Root::Add { provider } => add(provider),
        Root::Remove { name, confirmed, opening } => {
            let config = config(opening)?;
            confirm::loss(confirmed.yes, &format!("the slot {name} will not open this store any more"))?;
            block_on(async { operator::remove_root_slot(&config, name).await.map_err(failure) }).map(|done| warn(&done))
        }
    }
}

/// The configuration, with the shares in the place of its provider if some are given.
fn config(opening: &Opening) -> Result<Config, Failure> {
    let mut config = serve::config(&opening.config)?;
    if !opening.shares.is_empty() {
        config.root_key.providers = vec![RootKeyProvider::Shares];
        config.root_key.share_files.clone_from(&opening.shares);
        config.root_key.identities.clone_from(&opening.identities);
    }
    Ok(config)
}

pub(crate) fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn status(show: &Show, config: &Config) -> Result<(), Failure> {
    let status = block_on(async { operator::root_status(config).await.map_err(failure) })?;
    let opened_by = text(&status, "opened_by");
    let rows = status.get("slots").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let row = |row: &Value| {
        let of = |name: &str| row.get(name).cloned().unwrap_or_default();
        json!({
            "Slot": of("name"),
            "Provider": of("provider"),
            "Made": of("made"),
            "Detail": of("detail"),
            "Vouches": of("vouches"),
            "InUse": text(row, "name") == opened_by,
            "RootKeyId": status.get("root_id").cloned().unwrap_or_default(),
        })
    };
    show::list(
        show,
        &["SLOT", "PROVIDER", "MADE", "IN USE", "VOUCHES", "DETAIL", "ROOT KEY"],
        &["Slot", "Provider", "Made", "InUse", "Vouches", "Detail", "RootKeyId"],
        rows.iter().map(row).collect(),
    )
}

fn add(provider: &AddProvider) -> Result<(), Failure> {
    match provider {
        AddProvider::File { name, to, opening } => {
            let key = Key256::random();
            let file = RootMaterial::from(copy(&key)?).to_key_file();
            write_new(to, file.expose())?;
            let config = config(opening)?;
            let made = added(&config, name, RootKeyProvider::File, "", &key)?;
            let made = made.map_err(|error| without_slot(error, to, || fs::remove_file(to)))?;
            output::line(&format!("{} opens the store now; keep a copy of it elsewhere", to.display()))?;
            tell_whose(&config, &made)
        }
        AddProvider::Passphrase { name, from, insecure, opening } => {
            let config = config(opening)?;
            let passphrase = match from {
                Some(path) => read(path)?,
                None => ask_passphrase()?,
            };
            let (key, params) = root_key::of_new_passphrase(&passphrase, *insecure).map_err(local)?;
            tell_whose(&config, &added(&config, name, RootKeyProvider::Passphrase, &params, &key)?.map_err(failure)?)
        }
        AddProvider::Shares { name, open, of, to, recipients, qr, opening } => {
            let config = config(opening)?;
            let holders = holders(recipients, *of)?;
            let key = Key256::random();
            let (set, people) = shares::split(&key, *open, *of).map_err(|error| Failure::Usage(error.to_string()))?;
            write_shares(to, &people, &holders, *qr)?;
            let made = added(&config, name, RootKeyProvider::Shares, &set.to_line(), &key)?;
            let made = made.map_err(|error| without_slot(error, to, || fs::remove_dir_all(to)))?;
            output::line(&format!(
                "{} shares are in {}, any {} of them open. Give one to each person, and destroy the directory; none of \
                 them is kept elsewhere.",
                set.count(),
                to.display(),
                set.open()
            ))?;
            tell_whose(&config, &made)
        }
        AddProvider::Pkcs11 { name, key_label, opening } => {
            let config = config(opening)?;
            let (key, params) = block_on(async { root_key::of_new_token(&config, key_label).await.map_err(local) })?;
            tell_whose(&config, &added(&config, name, RootKeyProvider::Pkcs11, &params, &key)?.map_err(failure)?)
        }
        AddProvider::Kms { name, opening } => {
            let config = config(opening)?;
            let (key, params) = block_on(async { root_key::of_new_kms(&config).await.map_err(local) })?;
            tell_whose(&config, &added(&config, name, RootKeyProvider::Kms, &params, &key)?.map_err(failure)?)
        }
    }
}

/// A new directory with a file for each person, and a picture if that is wanted. `holders`: to whom the shares are encrypted, if to
/// anybody, as many as there are shares.
pub(crate) fn write_shares(to: &Path, people: &[Share], holders: &[Person], qr: bool) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::Local(format!("{}: {error}", to.display()));
    fs::DirBuilder::new().mode(0o700).create(to).map_err(failed)?;
    let mut holders = holders.iter();
    for share in people {
        let text = share.to_text();
        if let Some(person) = holders.next() {
            let sealed = person.seal(text.expose()).map_err(|error| Failure::Local(error.to_string()))?;
            write_new(&to.join(format!("share-{}.age", share.number())), sealed.as_bytes())?;
            continue;
        }
        write_new(&to.join(format!("share-{}.txt", share.number())), text.expose())?;
        if qr {
            let picture = QrCode::new(text.expose()).map_err(|error| Failure::Local(error.to_string()))?;
            let picture =
                Zeroizing::new(picture.render::<svg::Color<'_>>().min_dimensions(QR_PIXELS, QR_PIXELS).build());
            write_new(&to.join(format!("share-{}.svg", share.number())), picture.as_bytes())?;
        }
    }
    Ok(())
}

/// Who gets the shares: nobody in particular, or one person each.
pub(crate) fn holders(recipients: &[String], of: u8) -> Result<Vec<Person>, Failure> {
    if recipients.is_empty() {
        return Ok(Vec::new());
    }
    if recipients.len() != usize::from(of) {
        return Err(Failure::Usage(format!(
            "{} recipients are given for {of} shares: each gets one",
            recipients.len()
        )));
    }
    let mut holders: Vec<Person> = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let person: Person = recipient.parse().map_err(Failure::Usage)?;
        if holders.contains(&person) {
            return Err(Failure::Usage(format!("{person} is given twice: whoever has two shares counts for two")));
        }
        holders.push(person);
    }
    Ok(holders)
}

fn added(
    config: &Config,
    name: &str,
    provider: RootKeyProvider,
    params: &str,
    key: &Key256,
) -> Result<Result<Value, OperatorError>, Failure> {
    block_on(async { Ok(operator::add_root_slot(config, name, provider, params, key).await) })
}

/// What else has happened to the slots of the root key.
fn warn(done: &Value) {
    if let Some(warning) = done.get("warning").and_then(Value::as_str) {
        output::note(&format!("WARNING: {warning}"));
    }
}

/// What whoever restores with a new slot needs besides, if anything.
fn tell_whose(config: &Config, added: &Value) -> Result<(), Failure> {
    warn(added);
    match (added.get("vouches").and_then(Value::as_bool), verify::files::read_key(&audit_dir(&config.data_dir))) {
        (Some(true), _) => output::line("Whoever restores with it knows backups of this service from forged ones."),
        (_, Ok(Some(key))) => output::line(&format!(
            "Keep the public key of the audit log with it, by which a restore knows backups of this service from forged ones: {key}"
        )),
        _ => Ok(()),
    }
}

/// What was made for a slot that is not there is removed, unless the slot may be there after all.
fn without_slot(error: OperatorError, made: &Path, remove: impl FnOnce() -> io::Result<()>) -> Failure {
    match error {
        OperatorError::Unsure(_) | OperatorError::Socket(..) => Failure::Service(format!(
            "{error}; {} is left: `jomae root status` shows whether the slot is there",
            made.display()
        )),
        error => {
            // It is worth nothing.
            let _ = remove();
            failure(error)
        }
    }
}

#[expect(clippy::needless_pass_by_value, reason = "map_err gives the error itself")]
fn local(error: root_key::RootKeyError) -> Failure {
    Failure::Local(error.to_string())
}

fn copy(key: &Key256) -> Result<Key256, Failure> {
    Key256::from_slice(key.expose()).ok_or_else(|| Failure::Local("a key of another length".into()))
}

/// A new file for its owner alone, which survives a power cut.
fn write_new(path: &Path, content: &[u8]) -> Result<(), Failure> {
    let write = || {
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(content)?;
        file.sync_all()?;
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        File::open(dir)?.sync_all()
    };
    write().map_err(|error: io::Error| Failure::Local(format!("{}: {error}", path.display())))
}

fn read(path: &Path) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed = |error: io::Error| Failure::Local(format!("{}: {error}", path.display()));
    let mut content = Zeroizing::new(Vec::with_capacity(PASSPHRASE_BYTES_MAX + 3));
    File::open(path)
        .and_then(|file| file.take(PASSPHRASE_BYTES_MAX as u64 + 2).read_to_end(&mut content))
        .map_err(failed)?;
    Ok(content)
}

fn ask_passphrase() -> Result<Zeroizing<Vec<u8>>, Failure> {
    if !io::stdin().is_terminal() {
        return Err(Failure::Usage("there is no terminal to ask for the passphrase on: --from FILE names it".into()));
    }
    let ask = |prompt: &str| {
        let typed = rpassword::prompt_password(prompt).map(|typed| Zeroizing::new(typed.into_bytes()));
        typed.map_err(|error| Failure::Local(format!("the terminal: {error}")))
    };
    let (first, second) = (ask("New passphrase: ")?, ask("The same again: ")?);
    if first == second { Ok(first) } else { Err(Failure::Local("the two differ; nothing was changed".into())) }
}
