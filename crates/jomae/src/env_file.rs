//! Files for a shell: an access key, and where the service is.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use zeroize::Zeroizing;

use crate::output::Failure;

/// A credential, as it goes into a file.
pub struct Credential<'c> {
    pub access_key_id: &'c str,
    pub access_key_secret: &'c str,
    /// Of temporary credentials.
    pub security_token: Option<&'c str>,
}

/// A new file, readable by its owner alone. It is there before the key is made, and gone if none is.
pub struct EnvFile {
    file: File,
    path: PathBuf,
    is_filled: bool,
}

impl EnvFile {
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = file.map_err(|error| Failure::Local(format!("{}: {error}; no key was made", path.display())))?;
        Ok(Self { file, path: path.to_owned(), is_filled: false })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes lines that say where the service is, and the credential.
    pub fn fill(mut self, place: &str, credential: &Credential<'_>) -> std::io::Result<()> {
        let token = match credential.security_token {
            Some(token) => Zeroizing::new(format!("export ALIBABA_CLOUD_SECURITY_TOKEN={token}")),
            // That of an earlier session would go with this key.
            None => Zeroizing::new("unset ALIBABA_CLOUD_SECURITY_TOKEN".to_owned()),
        };
        let text = Zeroizing::new(format!(
            "{place}{}\nexport ALIBABA_CLOUD_ACCESS_KEY_ID={}\nexport ALIBABA_CLOUD_ACCESS_KEY_SECRET={}\n",
            *token, credential.access_key_id, credential.access_key_secret
        ));
        self.file.write_all(text.as_bytes()).and_then(|()| self.file.sync_all())?;
        self.is_filled = true;
        Ok(())
    }
}

impl Drop for EnvFile {
    fn drop(&mut self) {
        if !self.is_filled {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_no_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("env");
        drop(EnvFile::create(&path).ok().unwrap());
        assert!(!path.exists());
        std::fs::write(&path, "mine").unwrap();
        assert!(EnvFile::create(&path).is_err());
        assert!(path.exists());
    }
}
