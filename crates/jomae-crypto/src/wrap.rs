//! Wrapping of keys and other stored secrets under the key above them, each with its own purpose.
//!
//! # Layout
//!
//! The layout of [`crate::sealed`] around the bytes of the secret, with an empty AAD and
//!
//! | secret                    | wrapped under | purpose             | binding                              |
//! |---------------------------|---------------|---------------------|--------------------------------------|
//! | domain key, 32 bytes      | root key      | `domain-key`        | name of the domain key, UTF-8        |
//! | key of a backup, 32 bytes | root key      | `backup-key`        | name of the backup, UTF-8            |
//! | nothing, to vouch for the manifest of a backup | root key | `backup-manifest` | nothing; the manifest is the AAD |
//! | material of a key version | domain key    | `cmk-material`      | the binding of [`crate::envelope`]   |
//! | handle of a key in a token | domain key   | `token-handle`      | the same                             |
//! | access-key secret         | domain key    | `access-key`        | access-key id, UTF-8                 |
//! | seed of an MFA device     | domain key    | `mfa-seed`          | serial number of the device, UTF-8   |

use crate::envelope::Binding;
use crate::purpose::Purpose;
use crate::sealed::{self, OpenError, SealError, SealingKey};
use crate::secret::{Key256, SecretBytes};

/// Wraps a domain key called `name` under the root key.
pub fn wrap_domain_key(root: &Key256, name: &str, domain_key: &Key256) -> Result<Vec<u8>, SealError> {
    sealed::seal(&SealingKey::new(root.expose())?, Purpose::DomainKey, name.as_bytes(), &[], domain_key.expose())
}

/// The inverse of [`wrap_domain_key`].
pub fn unwrap_domain_key(root: &Key256, name: &str, wrapped: &[u8]) -> Result<Key256, OpenError> {
    let root = SealingKey::new(root.expose()).map_err(|_| OpenError)?;
    let bytes = sealed::open(&root, Purpose::DomainKey, name.as_bytes(), &[], wrapped)?;
    Key256::from_slice(bytes.expose()).ok_or(OpenError)
}

/// Wraps the key of the objects of the backup called `id` under the root key.
pub fn wrap_backup_key(root: &Key256, id: &str, key: &Key256) -> Result<Vec<u8>, SealError> {
    sealed::seal(&SealingKey::new(root.expose())?, Purpose::BackupKey, id.as_bytes(), &[], key.expose())
}

/// The inverse of [`wrap_backup_key`].
pub fn unwrap_backup_key(root: &Key256, id: &str, wrapped: &[u8]) -> Result<Key256, OpenError> {
    let root = SealingKey::new(root.expose()).map_err(|_| OpenError)?;
    let bytes = sealed::open(&root, Purpose::BackupKey, id.as_bytes(), &[], wrapped)?;
    Key256::from_slice(bytes.expose()).ok_or(OpenError)
}

/// What shows that the holder of the root key has made this manifest of a backup.
pub fn seal_backup_manifest(root: &Key256, manifest: &[u8]) -> Result<Vec<u8>, SealError> {
    sealed::seal(&SealingKey::new(root.expose())?, Purpose::BackupManifest, &[], manifest, &[])
}

/// Whether the holder of the root key has made this manifest of a backup.
pub fn check_backup_manifest(root: &Key256, manifest: &[u8], seal: &[u8]) -> Result<(), OpenError> {
    let root = SealingKey::new(root.expose()).map_err(|_| OpenError)?;
    sealed::open(&root, Purpose::BackupManifest, &[], manifest, seal).map(drop)
}

/// Wraps the material of the key version that `binding` names under a domain key.
pub fn wrap_cmk_material(
    domain_key: &SealingKey,
    binding: &Binding<'_>,
    material: &SecretBytes,
) -> Result<Vec<u8>, SealError> {
    sealed::seal(domain_key, Purpose::CmkMaterial, &binding.to_bytes(), &[], material.expose())
}

/// The inverse of [`wrap_cmk_material`].
pub fn unwrap_cmk_material(
    domain_key: &SealingKey,
    binding: &Binding<'_>,
    wrapped: &[u8],
) -> Result<SecretBytes, OpenError> {
    sealed::open(domain_key, Purpose::CmkMaterial, &binding.to_bytes(), &[], wrapped)
}

/// Seals what a key version is called in a token under a domain key. It is no secret, but it must be what was stored.
pub fn seal_token_handle(domain_key: &SealingKey, binding: &Binding<'_>, handle: &[u8]) -> Result<Vec<u8>, SealError> {
    sealed::seal(domain_key, Purpose::TokenHandle, &binding.to_bytes(), &[], handle)
}

/// The inverse of [`seal_token_handle`].
pub fn open_token_handle(
    domain_key: &SealingKey,
    binding: &Binding<'_>,
    sealed: &[u8],
) -> Result<SecretBytes, OpenError> {
    sealed::open(domain_key, Purpose::TokenHandle, &binding.to_bytes(), &[], sealed)
}

/// Wraps the secret of the access key `access_key_id` under a domain key.
pub fn wrap_access_key_secret(
    domain_key: &SealingKey,
    access_key_id: &str,
    secret: &SecretBytes,
) -> Result<Vec<u8>, SealError> {
    sealed::seal(domain_key, Purpose::AccessKey, access_key_id.as_bytes(), &[], secret.expose())
}

/// The inverse of [`wrap_access_key_secret`].
pub fn unwrap_access_key_secret(
    domain_key: &SealingKey,
    access_key_id: &str,
    wrapped: &[u8],
) -> Result<SecretBytes, OpenError> {
    sealed::open(domain_key, Purpose::AccessKey, access_key_id.as_bytes(), &[], wrapped)
}

/// Wraps the seed of the MFA device with this serial number under a domain key.
pub fn wrap_mfa_seed(domain_key: &SealingKey, serial: &str, seed: &SecretBytes) -> Result<Vec<u8>, SealError> {
    sealed::seal(domain_key, Purpose::MfaSeed, serial.as_bytes(), &[], seed.expose())
}

/// The inverse of [`wrap_mfa_seed`].
pub fn unwrap_mfa_seed(domain_key: &SealingKey, serial: &str, wrapped: &[u8]) -> Result<SecretBytes, OpenError> {
    sealed::open(domain_key, Purpose::MfaSeed, serial.as_bytes(), &[], wrapped)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BINDING: Binding<'static> = Binding {
        account: "1234567890123456",
        region: "cn-hangzhou",
        key_id: "08c33a6f-4e0a-4a1b-a3fa-7ddfa1d4fb73",
        version_id: "2ab1a983-7072-4bbc-a582-584b5bd8edf4",
        spec: "Aliyun_AES_256",
        usage: "ENCRYPT/DECRYPT",
    };

    fn key(byte: u8) -> Key256 {
        Key256::from_slice(&[byte; 32]).unwrap()
    }

    fn sealing(byte: u8) -> SealingKey {
        SealingKey::new(key(byte).expose()).unwrap()
    }

    #[test]
    fn domain_keys_open_under_their_root_and_name_only() {
        let wrapped = wrap_domain_key(&key(1), "store/1", &key(2)).unwrap();
        assert_eq!(unwrap_domain_key(&key(1), "store/1", &wrapped).unwrap().expose(), &[2; 32]);
        assert!(unwrap_domain_key(&key(3), "store/1", &wrapped).is_err());
        assert!(unwrap_domain_key(&key(1), "store/2", &wrapped).is_err());
    }

    #[test]
    fn backup_keys_and_manifests_belong_to_their_root() {
        let wrapped = wrap_backup_key(&key(1), "b-1", &key(2)).unwrap();
        assert_eq!(unwrap_backup_key(&key(1), "b-1", &wrapped).unwrap().expose(), &[2; 32]);
        assert!(unwrap_backup_key(&key(3), "b-1", &wrapped).is_err());
        assert!(unwrap_backup_key(&key(1), "b-2", &wrapped).is_err());
        let seal = seal_backup_manifest(&key(1), b"{}").unwrap();
        assert_eq!(check_backup_manifest(&key(1), b"{}", &seal), Ok(()));
        assert!(check_backup_manifest(&key(1), b"{ }", &seal).is_err());
        assert!(check_backup_manifest(&key(2), b"{}", &seal).is_err());
    }

    #[test]
    fn a_domain_key_of_another_length_does_not_unwrap() {
        for len in [0, 31, 33] {
            let wrapped = sealed::seal(&sealing(1), Purpose::DomainKey, b"store/1", &[], &vec![2; len]).unwrap();
            assert!(unwrap_domain_key(&key(1), "store/1", &wrapped).is_err(), "{len}");
        }
    }

    #[test]
    fn material_opens_under_its_key_and_binding_only() {
        for len in [16, 32, 5000] {
            let material = SecretBytes::random(len);
            let wrapped = wrap_cmk_material(&sealing(1), &BINDING, &material).unwrap();
            let unwrapped = unwrap_cmk_material(&sealing(1), &BINDING, &wrapped).unwrap();
            assert_eq!(unwrapped.expose(), material.expose());
            assert!(unwrap_cmk_material(&sealing(2), &BINDING, &wrapped).is_err());
            let other = Binding { spec: "Aliyun_SM4", ..BINDING };
            assert!(unwrap_cmk_material(&sealing(1), &other, &wrapped).is_err());
        }
    }

    #[test]
    fn access_key_secrets_open_under_their_id_only() {
        let secret = SecretBytes::new(b"secret".to_vec());
        let wrapped = wrap_access_key_secret(&sealing(1), "LTAI1", &secret).unwrap();
        assert_eq!(unwrap_access_key_secret(&sealing(1), "LTAI1", &wrapped).unwrap().expose(), b"secret");
        assert!(unwrap_access_key_secret(&sealing(1), "LTAI2", &wrapped).is_err());
    }
}
