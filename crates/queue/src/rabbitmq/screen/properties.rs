//! Whether lapin reads the properties of a message: every text where it expects UTF-8 is, nothing is cut short or unknown, and
//! tables lie in one another no deeper than anybody has a reason for.

/// Tables and arrays in one another. The broker's `x-death` has three.
const DEPTH_MAX: usize = 16;

/// What a property is, from the highest bit of the flags on.
#[derive(Clone, Copy)]
enum Kind {
    Text,
    Table,
    Octet,
    Time,
}

const PROPERTIES: [Kind; 14] = [
    Kind::Text,  // content_type
    Kind::Text,  // content_encoding
    Kind::Table, // headers
    Kind::Octet, // delivery_mode
    Kind::Octet, // priority
    Kind::Text,  // correlation_id
    Kind::Text,  // reply_to
    Kind::Text,  // expiration
    Kind::Text,  // message_id
    Kind::Time,  // timestamp
    Kind::Text,  // type
    Kind::Text,  // user_id
    Kind::Text,  // app_id
    Kind::Text,  // cluster_id
];

/// `bytes` are the flags and all that follows them.
pub(super) fn are_readable(bytes: &[u8]) -> bool {
    let mut bytes = Bytes(bytes);
    bytes.properties() == Some(()) && bytes.0.is_empty()
}

/// What is still to be read. `None` from any of its methods: it cannot be.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn properties(&mut self) -> Option<()> {
        let flags = u16::from_be_bytes(self.array()?);
        // More flags would follow; no property is that far.
        if flags & 0b11 != 0 {
            return None;
        }
        for (index, kind) in PROPERTIES.into_iter().enumerate() {
            if flags & (1 << (15 - index)) != 0 {
                match kind {
                    Kind::Text => self.short_text()?,
                    Kind::Table => self.table(DEPTH_MAX)?,
                    Kind::Octet => self.skip(1)?,
                    Kind::Time => self.skip(8)?,
                }
            }
        }
        Some(())
    }

    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.take(N)?.try_into().ok()
    }

    fn skip(&mut self, count: usize) -> Option<()> {
        self.take(count).map(drop)
    }

    fn short_text(&mut self) -> Option<()> {
        let [length] = self.array()?;
        std::str::from_utf8(self.take(length.into())?).ok().map(drop)
    }

    /// As many bytes as a number before them says.
    fn counted(&mut self) -> Option<Self> {
        let length = u32::from_be_bytes(self.array()?);
        self.take(length as usize).map(Bytes)
    }

    fn table(&mut self, depth: usize) -> Option<()> {
        let mut inside = self.counted()?;
        while !inside.0.is_empty() {
            inside.short_text()?;
            inside.value(depth)?;
        }
        Some(())
    }

    /// `depth`: how many tables and arrays may still lie in one another.
    fn value(&mut self, depth: usize) -> Option<()> {
        let [kind] = self.array()?;
        match kind {
            b'V' => Some(()),
            b't' | b'b' | b'B' => self.skip(1),
            b's' | b'U' | b'u' => self.skip(2),
            b'I' | b'i' | b'f' => self.skip(4),
            b'D' => self.skip(5),
            b'L' | b'l' | b'd' | b'T' => self.skip(8),
            b'S' | b'x' => self.counted().map(drop),
            b'F' => self.table(depth.checked_sub(1)?),
            b'A' => {
                let depth = depth.checked_sub(1)?;
                let mut inside = self.counted()?;
                while !inside.0.is_empty() {
                    inside.value(depth)?;
                }
                Some(())
            }
            _ => None,
        }
    }
}
