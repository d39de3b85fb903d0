//! The seed of a device as a picture that apps read.

use jomae_api::actions::ram::mfa::SerialNumber;
use jomae_crypto::secret::SecretBytes;
use qrcode::{Color, QrCode};
use zeroize::Zeroizing;

use crate::error::Fault;

/// Pixels of a module of the code, each way.
const SCALE: usize = 4;
/// Modules of white around it, as ISO/IEC 18004 has them.
const MARGIN: usize = 4;

/// What the code says: the address from which apps make a device. No part of it needs an escape.
fn address(serial: &SerialNumber, seed: &SecretBytes) -> Zeroizing<String> {
    let seed = String::from_utf8_lossy(seed.expose());
    Zeroizing::new(format!(
        "otpauth://totp/Jomae:{}@{}?secret={seed}&issuer=Jomae&algorithm=SHA1&digits=6&period=30",
        serial.name, serial.account
    ))
}

/// A PNG of the QR code, from the seed in Base32.
pub fn png(serial: &SerialNumber, seed: &SecretBytes) -> Result<SecretBytes, Fault> {
    let code = QrCode::new(address(serial, seed).as_bytes()).map_err(Fault::internal)?;
    let (modules, colors) = (code.width(), code.to_colors());
    let side = (modules + 2 * MARGIN) * SCALE;
    let mut pixels = Zeroizing::new(vec![0xff; side * side]);
    for (y, row) in pixels.chunks_mut(side).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let place = (x / SCALE).checked_sub(MARGIN).zip((y / SCALE).checked_sub(MARGIN));
            let color = place.filter(|(x, _)| *x < modules).and_then(|(x, y)| colors.get(y * modules + x));
            if color == Some(&Color::Dark) {
                *pixel = 0;
            }
        }
    }
    let side = u32::try_from(side).map_err(Fault::internal)?;
    // As large as it can become, so that no copy of it is left behind while it grows.
    let mut out = Vec::with_capacity(pixels.len() + 4096);
    let mut encoder = png::Encoder::new(&mut out, side, side);
    encoder.set_color(png::ColorType::Grayscale);
    encoder.set_depth(png::BitDepth::Eight);
    let mut writer = encoder.write_header().map_err(Fault::internal)?;
    writer.write_image_data(&pixels).map_err(Fault::internal)?;
    writer.finish().map_err(Fault::internal)?;
    Ok(SecretBytes::new(out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_for_the_longest_name() {
        let account = jomae_api::names::AccountId::new("1234567890123456").unwrap();
        let serial = SerialNumber { account, name: "n".repeat(64) };
        let seed = SecretBytes::new(b"GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ".to_vec());
        let picture = png(&serial, &seed).unwrap();
        let mut reader = png::Decoder::new(std::io::Cursor::new(picture.expose())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        assert_eq!(info.width, info.height);
        // The white margin, and the black corner of the first finder pattern behind it.
        assert_eq!(
            (pixels[0], pixels[(MARGIN * SCALE) * usize::try_from(info.width).unwrap() + MARGIN * SCALE]),
            (255, 0)
        );
        assert!(address(&serial, &seed).starts_with("otpauth://totp/Jomae:nnnn"));
    }
}
