//! The bytes of an object: a Tink stream ([`jomae_crypto::stream`]) written and read in order.

use std::io::{self, BufRead, Read, Write};

use jomae_crypto::{
    secret::Key256,
    stream::{STREAM_HEADER_BYTES, STREAM_TAG_BYTES, StreamKey, segment_bytes, segment_plain_bytes},
};
use zeroize::Zeroizing;

fn damaged() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "it does not open: it is damaged, cut, or another object")
}

/// Seals what is written to it. Without [`SealedWriter::finish`] the stream has no end, and does not open.
pub(super) struct SealedWriter<W> {
    to: W,
    key: StreamKey,
    index: u32,
    /// The segment that is being filled.
    plain: Zeroizing<Vec<u8>>,
}

impl<W: Write> SealedWriter<W> {
    pub(super) fn new(mut to: W, data_key: &Key256, name: &str) -> io::Result<Self> {
        let (key, header) = StreamKey::seal(data_key, name.as_bytes()).map_err(io::Error::other)?;
        to.write_all(&header)?;
        Ok(Self { to, key, index: 0, plain: Zeroizing::new(Vec::with_capacity(segment_bytes(1))) })
    }

    fn seal(&mut self, last: bool) -> io::Result<()> {
        let sealed_bytes = self.plain.len() + STREAM_TAG_BYTES;
        self.plain.resize(sealed_bytes, 0);
        self.key.seal_segment(self.index, last, &mut self.plain).map_err(io::Error::other)?;
        self.to.write_all(&self.plain)?;
        self.plain.clear();
        self.index = self.index.checked_add(1).ok_or_else(|| io::Error::other("an object has 4 PiB at most"))?;
        Ok(())
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.seal(true)?;
        self.to.flush()?;
        Ok(self.to)
    }
}

impl<W: Write> Write for SealedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // The last segment is known by its end alone, so a full one waits for what follows.
        if self.plain.len() == segment_plain_bytes(self.index) && !bytes.is_empty() {
            self.seal(false)?;
        }
        let taken = bytes.len().min(segment_plain_bytes(self.index) - self.plain.len());
        self.plain.extend_from_slice(bytes.get(..taken).unwrap_or_default());
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens what [`SealedWriter`] has sealed, and tells an end that is none.
pub(super) struct SealedReader<R> {
    from: R,
    key: StreamKey,
    index: u32,
    segment: Zeroizing<Vec<u8>>,
    /// What of the segment is plain, and not yet read.
    plain: std::ops::Range<usize>,
    is_last: bool,
}

impl<R: BufRead> SealedReader<R> {
    pub(super) fn new(mut from: R, data_key: &Key256, name: &str) -> io::Result<Self> {
        let mut header = [0; STREAM_HEADER_BYTES];
        from.read_exact(&mut header).map_err(|_| damaged())?;
        let key = StreamKey::open(data_key, name.as_bytes(), &header).map_err(|_| damaged())?;
        let segment = Zeroizing::new(Vec::with_capacity(segment_bytes(1)));
        Ok(Self { from, key, index: 0, segment, plain: 0..0, is_last: false })
    }

    fn open(&mut self) -> io::Result<()> {
        self.segment.clear();
        let bytes = segment_bytes(self.index);
        self.from.by_ref().take(bytes as u64).read_to_end(&mut self.segment)?;
        self.is_last = self.segment.len() < bytes || self.from.fill_buf()?.is_empty();
        let opened = self.key.open_segment(self.index, self.is_last, &mut self.segment).map_err(|_| damaged())?;
        self.plain = 0..opened.len();
        self.index = self.index.checked_add(1).ok_or_else(damaged)?;
        Ok(())
    }
}

impl<R: BufRead> Read for SealedReader<R> {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.plain.is_empty() && !self.is_last {
            self.open()?;
        }
        let left = self.segment.get(self.plain.clone()).unwrap_or_default();
        let taken = left.len().min(to.len());
        if let (Some(to), Some(left)) = (to.get_mut(..taken), left.get(..taken)) {
            to.copy_from_slice(left);
        }
        self.plain.start += taken;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key() -> Key256 {
        Key256::from_slice(&[7; 32]).unwrap()
    }

    fn sealed(plain: &[u8]) -> Vec<u8> {
        let mut writer = SealedWriter::new(Vec::new(), &key(), "records").unwrap();
        writer.write_all(plain).unwrap();
        writer.finish().unwrap()
    }

    fn opened(sealed: &[u8], name: &str) -> io::Result<Vec<u8>> {
        let mut plain = Vec::new();
        SealedReader::new(sealed, &key(), name)?.read_to_end(&mut plain)?;
        Ok(plain)
    }

    #[test]
    fn any_length_comes_back() {
        let (first, next) = (segment_plain_bytes(0), segment_plain_bytes(1));
        for bytes in [0, 1, first - 1, first, first + 1, first + next, first + next + 1] {
            let plain: Vec<u8> = (0..bytes).map(|at| at.to_le_bytes()[0]).collect();
            assert!(opened(&sealed(&plain), "records").unwrap() == plain, "{bytes}");
        }
    }

    #[test]
    fn what_is_cut_changed_or_named_otherwise_does_not_open() {
        let whole = sealed(&vec![1; segment_plain_bytes(0) + 10]);
        assert!(opened(&whole, "log").is_err());
        for end in
            [0, 20, STREAM_HEADER_BYTES, segment_bytes(0), STREAM_HEADER_BYTES + segment_bytes(0), whole.len() - 1]
        {
            assert!(opened(&whole[..end], "records").is_err(), "{end}");
        }
        for at in [0, 39, 40, whole.len() - 1] {
            let mut changed = whole.clone();
            changed[at] ^= 1;
            assert!(opened(&changed, "records").is_err(), "{at}");
        }
        let mut longer = whole.clone();
        longer.push(0);
        assert!(opened(&longer, "records").is_err());
    }
}
