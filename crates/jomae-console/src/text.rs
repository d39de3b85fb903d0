//! Every text of the pages, in three languages, from catalogues in Fluent's form.

use std::sync::OnceLock;

use fluent_bundle::{FluentArgs, FluentResource, FluentValue, concurrent::FluentBundle};
use unic_langid::LanguageIdentifier;

/// The parts of a language's catalogue; what a part holds is in the same part in every language.
macro_rules! catalogue {
    ($lang:literal) => {
        catalogue!($lang, "common", "sign-in", "overview", "keys", "people", "policies", "audit", "server", "errors")
    };
    ($lang:literal, $($part:literal),*) => {
        [$(include_str!(concat!("../locales/", $lang, "/", $part, ".ftl"))),*]
    };
}

/// A language of the console.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lang {
    Japanese,
    Chinese,
    English,
}

impl Lang {
    /// In the order in which they are offered.
    pub const ALL: [Self; 3] = [Self::Japanese, Self::Chinese, Self::English];

    /// Its BCP 47 tag.
    pub const fn tag(self) -> &'static str {
        match self {
            Self::Japanese => "ja",
            Self::Chinese => "zh-CN",
            Self::English => "en",
        }
    }

    /// Its name in itself, as readers of it look for it.
    pub const fn own_name(self) -> &'static str {
        match self {
            Self::Japanese => "日本語",
            Self::Chinese => "简体中文",
            Self::English => "English",
        }
    }

    /// The language of a tag of ours.
    pub fn of_tag(tag: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lang| lang.tag() == tag)
    }

    /// The first language of `Accept-Language` (RFC 9110 section 12.5.4), by weight, that we have; else English.
    pub fn accepted(header: &str) -> Self {
        let ranges = header.split(',').take(ACCEPTED_RANGES_MAX).filter_map(|range| {
            let mut parts = range.split(';').map(str::trim);
            let lang = Self::of_range(parts.next()?)?;
            let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok())?;
            (weight > 0.0).then_some((lang, weight))
        });
        // Of equal weights the first one counts.
        let best = ranges.fold(None, |best: Option<(Self, f32)>, next| match best {
            Some((_, weight)) if weight >= next.1 => best,
            _ => Some(next),
        });
        best.map_or(Self::English, |(lang, _)| lang)
    }

    fn of_range(range: &str) -> Option<Self> {
        let primary = range.split('-').next().unwrap_or(range);
        [("ja", Self::Japanese), ("zh", Self::Chinese), ("en", Self::English)]
            .into_iter()
            .find_map(|(tag, lang)| primary.eq_ignore_ascii_case(tag).then_some(lang))
    }

    /// Its catalogue, in parts.
    pub(crate) const fn catalogue(self) -> &'static [&'static str] {
        match self {
            Self::Japanese => &catalogue!("ja"),
            Self::Chinese => &catalogue!("zh-CN"),
            Self::English => &catalogue!("en"),
        }
    }
}

/// Most ranges of `Accept-Language` that are looked at.
const ACCEPTED_RANGES_MAX: usize = 32;

/// The texts of one language.
pub struct Texts {
    lang: Lang,
    bundle: FluentBundle<FluentResource>,
}

impl Texts {
    /// The texts of a language, read once.
    pub fn of(lang: Lang) -> &'static Self {
        static ALL: OnceLock<[Texts; 3]> = OnceLock::new();
        let [japanese, chinese, english] = ALL.get_or_init(|| Lang::ALL.map(|lang| Self::read(lang, lang.catalogue())));
        match lang {
            Lang::Japanese => japanese,
            Lang::Chinese => chinese,
            Lang::English => english,
        }
    }

    pub(crate) fn read(lang: Lang, catalogue: &[&str]) -> Self {
        let id: LanguageIdentifier = lang.tag().parse().unwrap_or_default();
        let mut bundle = FluentBundle::new_concurrent(vec![id]);
        // The marks would stand in what people copy.
        bundle.set_use_isolating(false);
        for part in catalogue {
            // A test reads every catalogue without an error.
            let resource = FluentResource::try_new((*part).to_owned()).unwrap_or_else(|(resource, _)| resource);
            bundle.add_resource_overriding(resource);
        }
        Self { lang, bundle }
    }

    pub const fn lang(&self) -> Lang {
        self.lang
    }

    /// Whether there is such a text.
    pub fn has(&self, id: &str) -> bool {
        self.bundle.has_message(id)
    }

    /// A text. One that is missing shows its id; a test finds those.
    pub fn get(&self, id: &str) -> String {
        self.with(id, &[])
    }

    /// A text with values in it.
    pub fn with(&self, id: &str, values: &[(&str, &str)]) -> String {
        let Some(pattern) = self.bundle.get_message(id).and_then(|message| message.value()) else {
            return id.to_owned();
        };
        let mut args = FluentArgs::new();
        for (name, value) in values {
            args.set(*name, FluentValue::from(*value));
        }
        self.bundle.format_pattern(pattern, Some(&args), &mut Vec::new()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn languages_are_chosen_by_weight() {
        for (header, lang) in [
            ("", Lang::English),
            ("ja", Lang::Japanese),
            ("fr, ja;q=0.5, zh-TW;q=0.9", Lang::Chinese),
            ("en-GB,ja", Lang::English),
            ("ja;q=0, zh;q=0.1", Lang::Chinese),
            ("JA-jp;q=1.0", Lang::Japanese),
            ("ja;q=x,,;;, ,zh", Lang::Chinese),
        ] {
            assert_eq!(Lang::accepted(header), lang, "{header}");
        }
    }
}
