//! What an object holds: frames, compressed (zstd), then sealed.
//!
//! A frame is its length (u32, little-endian, at most [`FRAME_BYTES_MAX`]) and a [`Frame`] in postcard's form. The last one
//! tells how many came before it.

use std::io::{self, BufRead, BufReader, Read, Write};

use jomae_core::store::{PATH_BYTES_MAX, VALUE_BYTES_MAX};
use jomae_crypto::secret::Key256;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use super::stream::{SealedReader, SealedWriter};

/// Largest frame, in bytes: a record with the longest path and the largest value.
pub const FRAME_BYTES_MAX: usize = PATH_BYTES_MAX + VALUE_BYTES_MAX + 64;
/// Largest piece of a file, in bytes.
pub(super) const PIECE_BYTES: usize = 64 * 1024;
/// Ciphertext does not become shorter; names and the log do.
const LEVEL: i32 = 3;

/// Bytes as they are, where serde would write them one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'f>(pub &'f [u8]);

impl Serialize for Raw<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

impl<'de: 'f, 'f> Deserialize<'de> for Raw<'f> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        <&'f [u8]>::deserialize(deserializer).map(Self)
    }
}

/// One thing in an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame<'f> {
    /// A record as it stands in the store, sealed.
    Record {
        path: &'f str,
        #[serde(borrow)]
        value: Raw<'f>,
    },
    /// A record that was there in the backup before, and is gone.
    Gone(&'f str),
    /// A file, whose bytes from `from` on follow; those before are as in the backup before.
    File { name: &'f str, from: u64 },
    /// Bytes of the last file.
    Piece(#[serde(borrow)] Raw<'f>),
    /// A file that is as in the backup before.
    Kept(&'f str),
    /// The end, after so many frames.
    End(u64),
}

/// Why an object cannot be read; one line.
pub(super) fn unreadable(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, why.to_owned())
}

/// Writes an object.
pub(super) struct FrameWriter<W: Write> {
    to: zstd::Encoder<'static, SealedWriter<W>>,
    frames: u64,
}

impl<W: Write> FrameWriter<W> {
    pub(super) fn new(to: W, data_key: &Key256, name: &str) -> io::Result<Self> {
        Ok(Self { to: zstd::Encoder::new(SealedWriter::new(to, data_key, name)?, LEVEL)?, frames: 0 })
    }

    pub(super) fn write(&mut self, frame: &Frame<'_>) -> io::Result<()> {
        let bytes = Zeroizing::new(postcard::to_allocvec(frame).map_err(io::Error::other)?);
        let length = u32::try_from(bytes.len()).ok().filter(|length| *length as usize <= FRAME_BYTES_MAX);
        let length = length.ok_or_else(|| io::Error::other("a frame that is too long"))?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&bytes)?;
        self.frames += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write(&Frame::End(self.frames))?;
        self.to.finish()?.finish()
    }
}

/// Reads an object.
pub(super) struct FrameReader<R: BufRead> {
    from: zstd::Decoder<'static, BufReader<SealedReader<R>>>,
    frame: Zeroizing<Vec<u8>>,
    frames: u64,
    has_ended: bool,
}

impl<R: BufRead> FrameReader<R> {
    pub(super) fn new(from: R, data_key: &Key256, name: &str) -> io::Result<Self> {
        let from = zstd::Decoder::new(SealedReader::new(from, data_key, name)?)?;
        Ok(Self { from, frame: Zeroizing::new(Vec::new()), frames: 0, has_ended: false })
    }

    /// The next frame; none after the last one.
    pub(super) fn next(&mut self) -> io::Result<Option<Frame<'_>>> {
        if self.has_ended {
            return Ok(None);
        }
        let mut length = [0; 4];
        self.from.read_exact(&mut length)?;
        let length = usize::try_from(u32::from_le_bytes(length)).unwrap_or(usize::MAX);
        if length > FRAME_BYTES_MAX {
            return Err(unreadable("a frame that is too long"));
        }
        self.frame.clear();
        self.from.by_ref().take(length as u64).read_to_end(&mut self.frame)?;
        if self.frame.len() < length {
            return Err(unreadable("it ends within a frame"));
        }
        let frame = read(&self.frame).ok_or_else(|| unreadable("a frame of a form that is not known"))?;
        if let Frame::End(frames) = frame {
            if frames != self.frames || self.from.read(&mut [0])? != 0 {
                return Err(unreadable("it has another number of frames than it says"));
            }
            self.has_ended = true;
            return Ok(None);
        }
        self.frames += 1;
        Ok(Some(frame))
    }
}

/// A frame, if these bytes are one and nothing else.
pub fn read(bytes: &[u8]) -> Option<Frame<'_>> {
    match postcard::take_from_bytes(bytes) {
        Ok((frame, [])) => Some(frame),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn key() -> Key256 {
        Key256::from_slice(&[7; 32]).unwrap()
    }

    #[test]
    fn frames_come_back_in_order() {
        let value = vec![9; VALUE_BYTES_MAX];
        let path = "p".repeat(PATH_BYTES_MAX);
        let frames = [
            Frame::Record { path: &path, value: Raw(&value) },
            Frame::Gone("a/b"),
            Frame::File { name: "tree/0", from: 32 },
            Frame::Piece(Raw(&value[..PIECE_BYTES])),
            Frame::Kept("0.jsonl.zst"),
        ];
        let mut writer = FrameWriter::new(Vec::new(), &key(), "x").unwrap();
        for frame in &frames {
            writer.write(frame).unwrap();
        }
        let object = writer.finish().unwrap();
        let mut reader = FrameReader::new(&object[..], &key(), "x").unwrap();
        for frame in &frames {
            assert_eq!(reader.next().unwrap().as_ref(), Some(frame));
        }
        assert_eq!(reader.next().unwrap(), None);
        assert_eq!(reader.next().unwrap(), None);
    }

    #[test]
    fn an_object_without_its_end_is_told() {
        let mut to = zstd::Encoder::new(SealedWriter::new(Vec::new(), &key(), "x").unwrap(), 1).unwrap();
        let gone = postcard::to_allocvec(&Frame::Gone("a")).unwrap();
        to.write_all(&u32::try_from(gone.len()).unwrap().to_le_bytes()).unwrap();
        to.write_all(&gone).unwrap();
        let object = to.finish().unwrap().finish().unwrap();
        let mut reader = FrameReader::new(&object[..], &key(), "x").unwrap();
        assert_eq!(reader.next().unwrap(), Some(Frame::Gone("a")));
        assert!(reader.next().is_err());
    }

    proptest! {
        #[test]
        fn no_bytes_panic(bytes: Vec<u8>) {
            if let Some(frame) = read(&bytes) {
                prop_assert!(postcard::to_allocvec(&frame).unwrap().len() <= bytes.len());
            }
        }
    }
}
