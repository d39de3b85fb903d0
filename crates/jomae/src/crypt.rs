//! `jomae encrypt` and `jomae decrypt`: small data, which the service encrypts itself.

use std::io::{self, IsTerminal, Read};

use base64::{Engine, engine::general_purpose::STANDARD};
use jomae_api::limits::{CIPHERTEXT_BYTES_MAX, PLAINTEXT_BYTES_MAX};
use jomae_client::file::{Input, MAGIC, Output};
use zeroize::Zeroizing;

use crate::{
    args::{Decrypt, Encrypt, SmallData},
    connect::{block_on, client},
    file, names,
    output::{self, Failure},
    signals,
};

/// How far an input that is too long is counted, in bytes.
const COUNTED_BYTES_MAX: u64 = 1024 * 1024;
/// Largest ciphertext as text: its Base64, in lines.
const CIPHERTEXT_TEXT_BYTES_MAX: usize = CIPHERTEXT_BYTES_MAX * 3 / 2;
/// Permission bits of plaintext.
const PRIVATE: u32 = 0o600;

pub fn encrypt(encrypt: &Encrypt) -> Result<(), Failure> {
    let data = &encrypt.data;
    let key = names::key(&encrypt.key)?;
    let context = file::context(&data.context)?;
    let output = output(data)?;
    if encrypt.raw && output.is_none() && io::stdout().is_terminal() {
        return Err(file::on_terminal("a raw ciphertext"));
    }
    let input = input(data)?;
    let mode = input.mode;
    let plain = read(input, PLAINTEXT_BYTES_MAX)?.map_err(|bytes| {
        Failure::Local(format!("{bytes} bytes; Encrypt takes {PLAINTEXT_BYTES_MAX}; for more: jomae file encrypt"))
    })?;
    if plain.is_empty() {
        return Err(Failure::Local("there is nothing to encrypt: the input is empty".into()));
    }
    let client = client(&encrypt.connection)?;
    let blob = block_on(async { client.encrypt(&key, &context, &plain).await.map_err(file::of_keys) })?;
    let sealed = if encrypt.raw { blob } else { format!("{}\n", STANDARD.encode(blob)).into_bytes() };
    write(output, &sealed, mode)
}

pub fn decrypt(decrypt: &Decrypt) -> Result<(), Failure> {
    let data = &decrypt.data;
    let context = file::context(&data.context)?;
    let output = output(data)?;
    let given = read(input(data)?, CIPHERTEXT_TEXT_BYTES_MAX)?;
    let blob = given.map_err(|bytes| format!("{bytes} bytes, more than any ciphertext of Encrypt has"));
    let blob = blob.and_then(|content| blob_of(&content)).map_err(Failure::Local)?;
    let client = client(&decrypt.connection)?;
    let plain = block_on(async { client.decrypt(&blob, &context).await.map_err(file::of_keys) })?;
    if output.is_none() && io::stdout().is_terminal() && !output::is_text(plain.expose()) {
        return Err(file::on_terminal("the plaintext"));
    }
    write(output, plain.expose(), PRIVATE)
}

/// Where the result goes; none is standard output. What stands in the way is noticed before the service is asked.
fn output(data: &SmallData) -> Result<Option<Output<'static>>, Failure> {
    let Some(path) = data.out.as_ref().filter(|path| !file::is_dash(path)) else { return Ok(None) };
    signals::leave_nothing_behind();
    Output::file(path, data.force).map(Some).map_err(file::failure)
}

fn write(output: Option<Output<'_>>, content: &[u8], mode: u32) -> Result<(), Failure> {
    match output {
        Some(output) => output.put(content, mode).map_err(file::failure),
        None => output::write_out(content),
    }
}

fn input(data: &SmallData) -> Result<Input<'static>, Failure> {
    if let Some(path) = data.input.as_ref().filter(|path| !file::is_dash(path)) {
        return Input::file(path).map_err(file::failure);
    }
    if io::stdin().is_terminal() {
        output::note("reading from the terminal; Ctrl-D ends it");
    }
    Input::stdin().map_err(file::failure)
}

/// Everything, or how many bytes there are if they are too many.
fn read(mut input: Input<'_>, bytes_max: usize) -> Result<Result<Zeroizing<Vec<u8>>, String>, Failure> {
    let failed = |error: io::Error| Failure::Local(format!("reading the input failed: {error}"));
    // Of full size from the start, so that no outgrown buffer keeps a copy.
    let mut content = Zeroizing::new(Vec::with_capacity(bytes_max + 1));
    input.reader.by_ref().take(bytes_max as u64 + 1).read_to_end(&mut content).map_err(failed)?;
    if content.len() <= bytes_max {
        return Ok(Ok(content));
    }
    let read = content.len() as u64;
    let more = io::copy(&mut input.reader.take(COUNTED_BYTES_MAX), &mut io::sink()).map_err(failed)?;
    Ok(Err(match input.bytes {
        Some(bytes) => bytes.to_string(),
        None if more == COUNTED_BYTES_MAX => format!("more than {}", read + more),
        None => (read + more).to_string(),
    }))
}

/// The ciphertext in a file: Base64, in one line or many, or the bytes themselves, which no Base64 begins like.
fn blob_of(content: &[u8]) -> Result<Vec<u8>, String> {
    if content.starts_with(MAGIC) {
        return Err("this was made by jomae file encrypt: use jomae file decrypt".into());
    }
    let text: Vec<u8> = content.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if text.is_empty() {
        return Err("there is nothing to decrypt: the input is empty".into());
    }
    Ok(STANDARD.decode(&text).unwrap_or_else(|_| content.to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ciphertexts_as_text_and_as_bytes() {
        let blob = b"05754286-3ba2-4fa6-8d41-4323aca6e5fd\x01\x02\x03";
        let text = STANDARD.encode(blob);
        let (head, tail) = text.split_at(20);
        for content in [blob.to_vec(), text.clone().into_bytes(), format!(" {head}\r\n{tail}\n").into_bytes()] {
            assert_eq!(blob_of(&content).unwrap(), blob);
        }
        assert!(blob_of(b" \n").unwrap_err().contains("empty"));
        assert!(blob_of(b"JOMAEFILE\x01").unwrap_err().contains("jomae file decrypt"));
    }

    #[test]
    fn what_is_too_long_is_counted() {
        let told = |bytes: usize| read(Input::reader(io::repeat(b'x').take(bytes as u64)), 10).ok().unwrap();
        assert_eq!(told(10).unwrap().len(), 10);
        assert_eq!(told(11).unwrap_err(), "11");
        assert_eq!(told(5000).unwrap_err(), "5000");
        assert!(told(2_000_000).unwrap_err().starts_with("more than"));
    }
}
