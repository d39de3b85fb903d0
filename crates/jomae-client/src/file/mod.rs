//! Envelope encryption of files: the data stays here, only the data key goes to the key service.
//!
//! # Format, version 1
//! ```text
//! 9 bytes   "JOMAEFILE"
//! 1 byte    version: 1
//! 4 bytes   length of the body, big-endian; at most 65536
//! body      JSON object, UTF-8, exactly these members:
//!             "region"         region of the key service
//!             "key_id"         id of the key
//!             "encrypted_key"  base64 (padded) of the encrypted data key, the service's CiphertextBlob
//!             "context_keys"   sorted names of the EncryptionContext entries; values are not stored
//! rest      Tink stream AES256_GCM_HKDF_1MB under the 32-byte data key, in segments of 1 MiB (`STREAM_SEGMENT_BYTES`)
//! ```
//! The associated data of the stream is the whole header, magic to end of body, byte for byte. So any Tink library opens
//! what follows the header with the raw data key.
//!
//! # What is promised
//! A file that is cut, extended, reordered or changed in any bit does not decrypt. An output *path* receives its name
//! only after the last segment has verified. An output *stream* receives each segment of about 1 MiB once that segment
//! has verified; if a later one does not, the call fails and the bytes already written are a true beginning of the
//! plaintext but must be discarded.

mod error;
mod header;
mod pipeline;
mod place;
#[cfg(test)]
mod tests;

use std::future::Future;
use std::io::Read;

use jomae_api::param::EncryptionContext;
use jomae_crypto::secret::{Key256, SecretBytes};
use jomae_crypto::stream::{
    STREAM_HEADER_BYTES, STREAM_TAG_BYTES, StreamError, StreamKey, segment_bytes, segment_plain_bytes,
};

pub use self::error::{Error, KeysError};
pub use self::header::{HEADER_BODY_BYTES_MAX, Header, MAGIC, VERSION};
pub use self::place::{Input, Output};

/// A new data key, in the clear and encrypted.
pub struct DataKey {
    /// The 32 bytes; erased on drop.
    pub plain: SecretBytes,
    /// The same, encrypted: the bytes of the service's `CiphertextBlob`.
    pub encrypted: Vec<u8>,
    /// Id of the key it is encrypted under.
    pub key_id: String,
    /// Region of the service that holds that key.
    pub region: String,
}

/// Where data keys come from: the key service, as far as files need it.
pub trait DataKeys {
    /// A new data key of 32 bytes under `key_id` (id, ARN or alias).
    fn generate(
        &self,
        key_id: &str,
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<DataKey, KeysError>> + Send;

    /// The data key back. `header` has not been authenticated yet; see [`Header`].
    fn decrypt(
        &self,
        header: &Header,
        context: &EncryptionContext,
    ) -> impl Future<Output = Result<SecretBytes, KeysError>> + Send;
}

/// How far a call is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of input done.
    pub done_bytes: u64,
    /// Bytes of input, if known beforehand. A file that grows meanwhile may go past it.
    pub total_bytes: Option<u64>,
}

/// Called after every segment, in order, from any of the worker threads. It holds up the output while it runs.
pub type OnProgress<'a> = &'a mut (dyn FnMut(Progress) + Send);

/// Encrypts `input` to `output` under a new data key.
///
/// After the key service has answered, this blocks its thread until the data is through and uses all cores: in a busy
/// async program, give it a thread of its own.
pub async fn encrypt(
    keys: &(impl DataKeys + Sync),
    key_id: &str,
    context: &EncryptionContext,
    input: Input<'_>,
    output: Output<'_>,
    on_progress: OnProgress<'_>,
) -> Result<Header, Error> {
    let data_key = keys.generate(key_id, context).await.map_err(Error::Keys)?;
    let header = Header {
        region: data_key.region,
        key_id: data_key.key_id,
        encrypted_key: data_key.encrypted,
        context_keys: context.pairs().keys().cloned().collect(),
    };
    seal(&header, &stream_key(&data_key.plain)?, input, output, on_progress)?;
    Ok(header)
}

/// Decrypts `input` to `output`. `context` must have the values given at encryption.
///
/// Blocks as [`encrypt`] does.
pub async fn decrypt(
    keys: &(impl DataKeys + Sync),
    context: &EncryptionContext,
    mut input: Input<'_>,
    output: Output<'_>,
    on_progress: OnProgress<'_>,
) -> Result<Header, Error> {
    let (header, header_bytes) = Header::read(&mut input.reader)?;
    header.check_context(context)?;
    let plain = keys.decrypt(&header, context).await.map_err(Error::Keys)?;
    open(&header_bytes, &stream_key(&plain)?, input, output, on_progress)?;
    Ok(header)
}

/// Reads what a file says about itself. No key is needed and nothing is verified.
pub fn inspect(input: &mut dyn Read) -> Result<Header, Error> {
    Header::read(input).map(|(header, _)| header)
}

/// The part of [`encrypt`] that needs no key service: writes `header` and `input` sealed under `data_key`.
pub fn seal(
    header: &Header,
    data_key: &Key256,
    mut input: Input<'_>,
    mut output: Output<'_>,
    on_progress: OnProgress<'_>,
) -> Result<(), Error> {
    let mut head = header.to_bytes()?;
    let (key, stream_header) = StreamKey::seal(data_key, &head).map_err(|StreamError| Error::Cipher)?;
    head.extend_from_slice(&stream_header);
    output.writer_mut().write_all(&head).map_err(Error::write)?;
    let work = |index, last, buffer: &mut [u8], plain_bytes| {
        let bytes = plain_bytes + STREAM_TAG_BYTES;
        let segment = buffer.get_mut(..bytes).unwrap_or_default();
        key.seal_segment(index, last, segment).map_err(|StreamError| Error::Cipher)?;
        Ok(bytes)
    };
    let at_start = Progress { done_bytes: 0, total_bytes: input.bytes };
    pipeline::run(
        &mut input.reader,
        output.writer_mut(),
        segment_plain_bytes,
        &work,
        on_progress,
        at_start,
        pipeline::workers_default(),
    )?;
    output.finish(input.mode)
}

/// The part of [`decrypt`] that needs no key service: `input` stands after the header, whose bytes are `header_bytes`.
pub fn open(
    header_bytes: &[u8],
    data_key: &Key256,
    mut input: Input<'_>,
    mut output: Output<'_>,
    on_progress: OnProgress<'_>,
) -> Result<(), Error> {
    let mut stream_header = Vec::new();
    input.reader.by_ref().take(STREAM_HEADER_BYTES as u64).read_to_end(&mut stream_header).map_err(Error::Read)?;
    let stream_header = stream_header.as_slice().try_into().map_err(|_| Error::Truncated)?;
    let key =
        StreamKey::open(data_key, header_bytes, stream_header).map_err(|StreamError| Error::Damaged { segment: 0 })?;
    let work = |index, last, buffer: &mut [u8], bytes| {
        let segment = buffer.get_mut(..bytes).unwrap_or_default();
        let opened = key.open_segment(index, last, segment);
        opened.map(|plain| plain.len()).map_err(|StreamError| Error::Damaged { segment: index })
    };
    let done_bytes = (header_bytes.len() + STREAM_HEADER_BYTES) as u64;
    let at_start = Progress { done_bytes, total_bytes: input.bytes };
    pipeline::run(
        &mut input.reader,
        output.writer_mut(),
        segment_bytes,
        &work,
        on_progress,
        at_start,
        pipeline::workers_default(),
    )?;
    output.finish(input.mode)
}

fn stream_key(plain: &SecretBytes) -> Result<Key256, Error> {
    Key256::from_slice(plain.expose()).ok_or(Error::DataKeyLength(plain.len()))
}
