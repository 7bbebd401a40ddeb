//! Texts that are dates and times, told exactly or not at all.
//!
//! Only forms in which every digit counts are taken, so that the moment comes back whole: free
//! forms stay texts.

/// A moment, in microseconds since 1970, as both clocks of a database count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) since_1970_us: i64,
    pub(super) form: Form,
}

/// How it is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// `2024-05-06`
    Date,
    /// `2024-05-06 07:08:09`, and up to six digits of a fraction
    Space,
    /// `2024-05-06T07:08:09`
    T,
    /// `2024-05-06 07:08:09+00:00`
    SpaceUtc,
    /// `2024-05-06 07:08:09Z`
    SpaceZ,
    /// `2024-05-06T07:08:09Z`
    TZ,
    /// `2024-05-06T07:08:09+00:00`
    TUtc,
}

impl Form {
    /// As a person reads it.
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Form::Date => "YYYY-MM-DD",
            Form::Space => "YYYY-MM-DD HH:MM:SS[.f]",
            Form::T => "YYYY-MM-DDTHH:MM:SS[.f]",
            Form::SpaceUtc => "YYYY-MM-DD HH:MM:SS[.f]+00:00",
            Form::SpaceZ => "YYYY-MM-DD HH:MM:SS[.f]Z",
            Form::TZ => "YYYY-MM-DDTHH:MM:SS[.f]Z",
            Form::TUtc => "YYYY-MM-DDTHH:MM:SS[.f]+00:00",
        }
    }

    pub(super) const fn has_zone(self) -> bool {
        matches!(self, Form::SpaceUtc | Form::SpaceZ | Form::TZ | Form::TUtc)
    }
}

const DAY_US: i64 = 86_400_000_000;

/// The moment that a text is, if no digit of it is lost.
pub(super) fn parse(text: &str) -> Option<Moment> {
    let bytes = text.as_bytes();
    if !text.is_ascii() || bytes.len() < 10 {
        return None;
    }
    let days = date(&bytes[..10])?;
    if bytes.len() == 10 {
        return Some(Moment { since_1970_us: days.checked_mul(DAY_US)?, form: Form::Date });
    }
    let separator = bytes[10];
    let (time, zone) = if let Some(time) = text[11..].strip_suffix("+00:00") {
        (time, "+00:00")
    } else if let Some(time) = text[11..].strip_suffix('Z') {
        (time, "Z")
    } else {
        (&text[11..], "")
    };
    let form = match (separator, zone) {
        (b' ', "") => Form::Space,
        (b'T', "") => Form::T,
        (b' ', "+00:00") => Form::SpaceUtc,
        (b' ', "Z") => Form::SpaceZ,
        (b'T', "Z") => Form::TZ,
        (b'T', "+00:00") => Form::TUtc,
        _ => return None,
    };
    let since_1970_us = days.checked_mul(DAY_US)?.checked_add(time_us(time.as_bytes())?)?;
    Some(Moment { since_1970_us, form })
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes
        .iter()
        .try_fold(0, |sum, byte| byte.is_ascii_digit().then(|| sum * 10 + i64::from(byte - b'0')))
}

fn time_us(bytes: &[u8]) -> Option<i64> {
    let (whole, fraction) = bytes.split_at_checked(8)?;
    if whole[2] != b':' || whole[5] != b':' {
        return None;
    }
    let (hour, minute, second) =
        (digits(&whole[..2])?, digits(&whole[3..5])?, digits(&whole[6..])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_us = match fraction.split_first() {
        None => 0,
        Some((b'.', rest)) if !rest.is_empty() && rest.len() <= 9 => {
            let mut padded = [b'0'; 9];
            padded[..rest.len()].copy_from_slice(rest);
            let nanoseconds = digits(&padded)?;
            (nanoseconds % 1000 == 0).then_some(nanoseconds / 1000)?
        }
        Some(_) => return None,
    };
    Some(((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction_us)
}

/// Days since 1970 of a date that exists in the Gregorian calendar, from year 1 on.
fn date(bytes: &[u8]) -> Option<i64> {
    if bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    if year < 1 || day < 1 || day > last {
        return None;
    }
    // Years that begin in March: then the leap day is the last one.
    let shifted = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = 365 * shifted + shifted / 4 - shifted / 100 + shifted / 400 + day_of_year;
    Some(days - 719_468)
}

/// The text of a moment as both PostgreSQL and MariaDB read it.
pub(super) fn write(since_1970_us: i64, kind: Form) -> String {
    let (days, of_day) = (since_1970_us.div_euclid(DAY_US), since_1970_us.rem_euclid(DAY_US));
    let date = date_text(days);
    if kind == Form::Date {
        return date;
    }
    let (seconds, fraction) = (of_day / 1_000_000, of_day % 1_000_000);
    let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    let zone = if kind.has_zone() { "+00" } else { "" };
    let fraction = if fraction == 0 { String::new() } else { format!(".{fraction:06}") };
    format!("{date} {hour:02}:{minute:02}:{second:02}{fraction}{zone}")
}

fn date_text(days: i64) -> String {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_without_loss_are_read_and_others_are_not() {
        for (text, form, us) in [
            ("1970-01-01", Form::Date, 0),
            ("1969-12-31", Form::Date, -DAY_US),
            ("2000-02-29 00:00:01", Form::Space, 951_782_401_000_000),
            ("1970-01-01T00:00:00.5", Form::T, 500_000),
            ("1970-01-01 00:00:00.1234560+00:00", Form::SpaceUtc, 123_456),
            ("1970-01-01T00:00:00Z", Form::TZ, 0),
        ] {
            assert_eq!(parse(text), Some(Moment { since_1970_us: us, form }), "{text}");
        }
        for text in [
            "",
            "soon",
            "2023-02-29",
            "0000-01-01",
            "2023-13-01",
            "2023-1-1",
            "2023-01-01 24:00:00",
            "2023-01-01 00:00:60",
            "2023-01-01 00:00:00.1234567",
            "2023-01-01 00:00:00+02:00",
            "2023-01-01 00:00",
            "2023-01-01 00:00:00.",
            "2023-01-01 00:00:00z",
            "2023-01-01\u{e9}",
        ] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest::proptest! {
        #[test]
        fn what_is_written_reads_the_same(
            us in -62_135_596_800_000_000_i64..253_402_300_800_000_000,
        ) {
            let text = write(us, Form::Space);
            proptest::prop_assert_eq!(parse(&text).map(|moment| moment.since_1970_us), Some(us));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "\\PC{0,40}") {
            parse(&text);
        }
    }
}
