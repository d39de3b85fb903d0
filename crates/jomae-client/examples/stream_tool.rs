//! Seals or opens one bare stream (what follows the header of an encrypted file) on standard input and output, so that
//! other implementations of the format can be compared with this one:
//!
//! `stream_tool seal|open --key HEX --ad HEX`

use std::io::{self, Read as _, Write as _};
use std::process::ExitCode;

use jomae_crypto::secret::Key256;
use jomae_crypto::stream::{STREAM_HEADER_BYTES, STREAM_TAG_BYTES, StreamKey, segment_bytes, segment_plain_bytes};

type Failure = Box<dyn std::error::Error>;

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("stream_tool: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    const USAGE: &str = "usage: stream_tool seal|open --key HEX --ad HEX";
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let [verb, "--key", key, "--ad", ad] = arguments[..] else { return Err(USAGE.into()) };
    let key = Key256::from_slice(&from_hex(key)?).ok_or("the key is not 32 bytes")?;
    let ad = from_hex(ad)?;
    let mut input = Vec::new();
    io::stdin().read_to_end(&mut input)?;
    let output = match verb {
        "seal" => seal(&key, &ad, &input)?,
        "open" => open(&key, &ad, &input)?,
        _ => return Err(USAGE.into()),
    };
    io::stdout().write_all(&output)?;
    Ok(())
}

fn seal(key: &Key256, ad: &[u8], mut plain: &[u8]) -> Result<Vec<u8>, Failure> {
    let (key, header) = StreamKey::seal(key, ad)?;
    let mut stream = header.to_vec();
    for index in 0.. {
        let (now, rest) = plain.split_at(plain.len().min(segment_plain_bytes(index)));
        let mut segment = now.to_vec();
        segment.extend([0; STREAM_TAG_BYTES]);
        key.seal_segment(index, rest.is_empty(), &mut segment)?;
        stream.extend(segment);
        if rest.is_empty() {
            break;
        }
        plain = rest;
    }
    Ok(stream)
}

fn open(key: &Key256, ad: &[u8], stream: &[u8]) -> Result<Vec<u8>, Failure> {
    let (header, mut stream) = stream.split_first_chunk::<STREAM_HEADER_BYTES>().ok_or("the stream is too short")?;
    let key = StreamKey::open(key, ad, header)?;
    let mut plain = Vec::new();
    for index in 0.. {
        let (now, rest) = stream.split_at(stream.len().min(segment_bytes(index)));
        plain.extend_from_slice(key.open_segment(index, rest.is_empty(), &mut now.to_vec())?);
        if rest.is_empty() {
            break;
        }
        stream = rest;
    }
    Ok(plain)
}

fn from_hex(text: &str) -> Result<Vec<u8>, Failure> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return Err("not hexadecimal".into());
    }
    let byte = |at| u8::from_str_radix(&text[at..at + 2], 16);
    (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map_err(Into::into)
}
