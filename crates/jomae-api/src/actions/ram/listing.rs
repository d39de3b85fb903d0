//! Pages of RAM lists, which are sorted by name.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::actions::prelude::*;

param! {
    /// Where the page begins. If absent, at the beginning.
    pub MARKER: String = Text "Marker", "the Marker of the page before" => |text| {
        if text.len() > MARKER_CHARS_MAX {
            return Err(Invalid::Value);
        }
        let bytes = URL_SAFE_NO_PAD.decode(text).map_err(|_| Invalid::Value)?;
        String::from_utf8(bytes).map_err(|_| Invalid::Value)
    };
}

/// Longest marker: the Base64 of the longest name of all, that of a policy.
const MARKER_CHARS_MAX: usize = 172;

param! {
    /// Rows of a page.
    pub MAX_ITEMS: u32 = Integer "MaxItems", text!([limits::MAX_ITEMS] " (default " {limits::MAX_ITEMS_DEFAULT} ")"),
        public => |text| parse_number(text, &limits::MAX_ITEMS);
}

/// Which rows of a list that is sorted by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listing {
    /// The name of the last row of the page before.
    pub after: Option<String>,
    /// 1–1000 rows.
    pub rows_max: usize,
}

impl Listing {
    /// Reads `Marker` and `MaxItems`.
    pub fn parse(input: Input<'_>) -> Result<Self, Refusal> {
        let after = input.optional(&MARKER)?;
        let rows_max = input.optional(&MAX_ITEMS)?.unwrap_or(limits::MAX_ITEMS_DEFAULT);
        Ok(Self { after, rows_max: rows_max as usize })
    }
}

/// The `Marker` of a page that ends with the row of this name.
pub fn marker_after(name: &str) -> String {
    URL_SAFE_NO_PAD.encode(name)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{param::ParamInfo, wire::Params};

    #[test]
    fn a_page_has_its_limits() {
        let read = |query: &str| Listing::parse(Input::new(&Params::parse(query, None).unwrap()));
        assert_eq!(read(""), Ok(Listing { after: None, rows_max: 100 }));
        let marker = marker_after("user@x");
        let page = read(&format!("Marker={marker}&MaxItems=1000"));
        assert_eq!(page, Ok(Listing { after: Some("user@x".to_owned()), rows_max: 1000 }));
        for bad in ["MaxItems=0", "MaxItems=1001", "MaxItems=x"] {
            assert_eq!(read(bad), Err(Refusal::ParameterInvalid("MaxItems")), "{bad}");
        }
        let long = marker_after(&"n".repeat(130));
        for bad in ["_w", "a", "%21", &long] {
            assert_eq!(read(&format!("Marker={bad}")), Err(Refusal::ParameterInvalid("Marker")), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn markers_round_trip(name in "[ -~]{1,128}") {
            let params = format!("Marker={}", marker_after(&name));
            let listing = Listing::parse(Input::new(&Params::parse(&params, None).unwrap())).unwrap();
            prop_assert_eq!(listing.after, Some(name));
        }

        #[test]
        fn never_panic(text in ".{0,200}") {
            let _ = MARKER.accepts(&text);
        }
    }
}
