//! The last of what a machine wrote on its console. The guest is a stranger: bytes are bounded and made harmless.
use std::collections::VecDeque;

/// What is kept.
pub const CONSOLE_BYTES: usize = 16 * 1024;

#[derive(Default)]
pub struct Console {
    bytes: VecDeque<u8>,
}

impl Console {
    pub fn push(&mut self, data: &[u8]) {
        let data = &data[data.len().saturating_sub(CONSOLE_BYTES)..];
        let over = (self.bytes.len() + data.len()).saturating_sub(CONSOLE_BYTES);
        self.bytes.drain(..over);
        self.bytes.extend(data);
    }

    /// As text: lines and tabs stay, every other control character (a terminal's orders among them) goes.
    pub fn text(&mut self) -> String {
        let text = String::from_utf8_lossy(self.bytes.make_contiguous());
        text.chars().filter(|c| matches!(c, '\n' | '\t') || !c.is_control()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_the_end_and_nothing_that_steers_a_terminal() {
        let mut console = Console::default();
        console.push(b"first\r\n\x1b[31mred\x07\xff\xc3\tend\n");
        assert_eq!(console.text(), "first\n[31mred\u{fffd}\u{fffd}\tend\n");
        for n in 0..10_000 {
            console.push(format!("line {n}\n").as_bytes());
        }
        console.push(&[b'x'; 3 * CONSOLE_BYTES]);
        assert_eq!(console.text(), "x".repeat(CONSOLE_BYTES));
        console.push(b"tail");
        assert!(console.text().ends_with("xxtail"));
        assert_eq!(console.text().len(), CONSOLE_BYTES);
    }
}
