//! A closed segment in frames of zstd: writing one, and reading it at any place.
//!
//! The library is given a frame only after its declared length has been compared with the table and with the limit, and
//! decompresses into a buffer of that length: a file cannot take more memory than a frame may.

use std::{
    fs::File,
    io::{self, BufRead, Read, Write},
    os::unix::fs::FileExt as _,
};

use zstd::{
    bulk::{Compressor, Decompressor},
    zstd_safe,
};

use crate::layout::frames::{
    ENTRY_BYTES, FOOTER_BYTES, FRAME_BYTES_MAX, FRAMES_MAX, SEEKABLE_MAGIC, TABLE_HEAD_BYTES, TABLE_MAGIC,
};

/// Of the levels of zstd the one that takes the least time: higher ones take several times as long for a tenth less.
const LEVEL: i32 = 1;

/// What is wrong with a compressed segment, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the frame at byte {at} is damaged: {why}")]
struct DamagedFrame {
    at: u64,
    why: &'static str,
}

fn damaged<T>(at: u64, why: &'static str) -> io::Result<T> {
    Err(io::Error::other(DamagedFrame { at, why }))
}

/// Whether a segment could not be read because it is damaged, and not for a reason that may pass.
pub(crate) fn is_damage(error: &io::Error) -> bool {
    error.get_ref().and_then(|error| error.downcast_ref::<DamagedFrame>()).is_some()
}

/// Writes a compressed segment.
pub struct FrameWriter<W> {
    to: W,
    compressor: Compressor<'static>,
    table: Vec<u8>,
    frames: u32,
}

impl<W: Write> FrameWriter<W> {
    /// Begins a file.
    pub fn new(to: W) -> io::Result<Self> {
        let mut compressor = Compressor::new(LEVEL)?;
        compressor.include_contentsize(true)?;
        compressor.include_checksum(true)?;
        Ok(Self { to, compressor, table: Vec::new(), frames: 0 })
    }

    /// Adds a frame of whole lines.
    pub fn push(&mut self, lines: &[u8]) -> io::Result<()> {
        if lines.len() > FRAME_BYTES_MAX || self.frames as usize >= FRAMES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let frame = self.compressor.compress(lines)?;
        self.to.write_all(&frame)?;
        for length in [frame.len(), lines.len()] {
            self.table.extend(u32::try_from(length).map_err(io::Error::other)?.to_le_bytes());
        }
        self.frames += 1;
        Ok(())
    }

    /// Writes the table.
    pub fn finish(mut self) -> io::Result<W> {
        let length = u32::try_from(self.table.len() + FOOTER_BYTES).map_err(io::Error::other)?;
        self.to.write_all(&TABLE_MAGIC.to_le_bytes())?;
        self.to.write_all(&length.to_le_bytes())?;
        self.to.write_all(&self.table)?;
        self.to.write_all(&self.frames.to_le_bytes())?;
        self.to.write_all(&[0])?;
        self.to.write_all(&SEEKABLE_MAGIC.to_le_bytes())?;
        Ok(self.to)
    }
}

/// Where a frame is, and its content.
#[derive(Clone, Copy)]
struct Frame {
    at: u64,
    bytes: usize,
    /// Where its lines begin in the segment.
    start: u64,
    content_bytes: usize,
}

/// Bytes that can be read at any place.
pub trait ReadAt {
    /// How many there are.
    fn bytes(&self) -> io::Result<u64>;
    /// Fills `buffer` with those from `at` on.
    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
}

impl ReadAt for File {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        self.read_exact_at(buffer, at)
    }
}

impl ReadAt for &[u8] {
    fn bytes(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        let from = usize::try_from(at).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let from = from.get(..buffer.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        buffer.copy_from_slice(from);
        Ok(())
    }
}

/// A compressed segment, as the lines that are in it.
pub struct Frames<F> {
    file: F,
    table: Vec<Frame>,
    decompressor: Decompressor<'static>,
    frame: Vec<u8>,
    /// The frame that comes next, the lines of the one before it, and how far they have been read.
    next: usize,
    content: Vec<u8>,
    used: usize,
}

impl<F: ReadAt> Frames<F> {
    /// Reads the table of a file.
    pub fn open(file: F) -> io::Result<Self> {
        let table = read_table(&file)?;
        let (decompressor, frame, content) = (Decompressor::new()?, Vec::new(), Vec::new());
        Ok(Self { file, table, decompressor, frame, next: 0, content, used: 0 })
    }

    /// The length of the lines.
    pub fn content_bytes(&self) -> u64 {
        self.table.last().map_or(0, |last| last.start + last.content_bytes as u64)
    }

    /// Goes to a place among the lines.
    pub fn seek(&mut self, offset: u64) -> io::Result<()> {
        let behind = self.table.partition_point(|frame| frame.start <= offset);
        let Some(at) = behind.checked_sub(1) else { return Ok(()) };
        if self.next != behind || self.content.is_empty() {
            self.load(at)?;
        }
        let start = self.table.get(at).map_or(0, |frame| frame.start);
        self.used = usize::try_from(offset - start).unwrap_or(usize::MAX).min(self.content.len());
        Ok(())
    }

    /// Decompresses a frame, which then is the one before the next.
    fn load(&mut self, number: usize) -> io::Result<()> {
        self.content.clear();
        self.used = 0;
        let Some(Frame { at, bytes, content_bytes, .. }) = self.table.get(number).copied() else { return Ok(()) };
        self.frame.resize(bytes, 0);
        self.file.read_at(&mut self.frame, at)?;
        if !zstd_safe::get_frame_content_size(&self.frame).is_ok_and(|size| size == Some(content_bytes as u64)) {
            return damaged(at, "its length is not that of the table");
        }
        if zstd_safe::find_frame_compressed_size(&self.frame) != Ok(bytes) {
            return damaged(at, "it does not end where the table says");
        }
        self.content.reserve_exact(content_bytes);
        let decompressed = self.decompressor.decompress_to_buffer(&self.frame, &mut self.content);
        if !decompressed.is_ok_and(|read| read == content_bytes) {
            self.content.clear();
            return damaged(at, "it cannot be decompressed");
        }
        if self.content.last() != Some(&b'\n') {
            self.content.clear();
            return damaged(at, "it ends within a line");
        }
        self.next = number + 1;
        Ok(())
    }
}

impl<F: ReadAt> BufRead for Frames<F> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.used >= self.content.len() && self.next < self.table.len() {
            self.load(self.next)?;
        }
        Ok(self.content.get(self.used..).unwrap_or_default())
    }

    fn consume(&mut self, bytes: usize) {
        self.used = self.content.len().min(self.used + bytes);
    }
}

impl<F: ReadAt> Read for Frames<F> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(buffer)?;
        self.consume(read);
        Ok(read)
    }
}

fn number(bytes: &[u8]) -> u32 {
    bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes))
}

/// Reads and checks the table: the frames must be all that is before it.
fn read_table(file: &impl ReadAt) -> io::Result<Vec<Frame>> {
    let bytes = file.bytes()?;
    let wrong = |why| damaged(bytes, why);
    let mut footer = [0; FOOTER_BYTES];
    let Some(footer_at) = bytes.checked_sub(FOOTER_BYTES as u64) else { return wrong("there is no table") };
    file.read_at(&mut footer, footer_at)?;
    let [a, b, c, d, descriptor, magic @ ..] = footer;
    let count = u32::from_le_bytes([a, b, c, d]) as usize;
    if magic != SEEKABLE_MAGIC.to_le_bytes() || descriptor != 0 {
        return wrong("there is no table");
    }
    let length = TABLE_HEAD_BYTES + count.min(FRAMES_MAX) * ENTRY_BYTES;
    let Some(table_at) = footer_at.checked_sub(length as u64).filter(|_| count <= FRAMES_MAX) else {
        return wrong("the table is too long");
    };
    let mut table = vec![0; length];
    file.read_at(&mut table, table_at)?;
    let (head, entries) = table.split_at(TABLE_HEAD_BYTES);
    let (magic, rest) = (number(head), number(head.get(4..).unwrap_or_default()));
    if magic != TABLE_MAGIC || rest as usize != entries.len() + FOOTER_BYTES {
        return wrong("the table does not begin where it should");
    }
    let (mut frames, mut at, mut start) = (Vec::with_capacity(count), 0, 0);
    for entry in entries.chunks_exact(ENTRY_BYTES) {
        let bytes = number(entry) as usize;
        let content_bytes = number(entry.get(4..).unwrap_or_default()) as usize;
        if !(1..=FRAME_BYTES_MAX).contains(&content_bytes) || bytes > zstd_safe::compress_bound(FRAME_BYTES_MAX) {
            return damaged(at, "it is too long");
        }
        frames.push(Frame { at, bytes, start, content_bytes });
        at += bytes as u64;
        start += content_bytes as u64;
    }
    if at != table_at {
        return wrong("the table is not that of these frames");
    }
    Ok(frames)
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
