//! The terminal: taken over at the start, given back in order at the end, also when the program panics. Keys are read
//! by a thread of their own.

use std::io::{self, Write};

use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{
    self, DisableBracketedPaste, DisableFocusChange, EnableBracketedPaste, EnableFocusChange, Event,
};
use ratatui::crossterm::execute;
use ratatui::crossterm::terminal::SetTitle;
use tokio::sync::mpsc;

use super::intent::Input;

/// Keys that may wait to be handled.
const KEYS_MAX: usize = 256;

/// A terminal that is ours as long as the value lives.
pub struct Terminal {
    inner: DefaultTerminal,
}

impl Terminal {
    /// Takes it over. A panic gives it back, so that its message can be read.
    pub fn take() -> io::Result<Self> {
        let inner = ratatui::try_init()?;
        let terminal = Self { inner };
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let _ = execute!(io::stdout(), DisableBracketedPaste, DisableFocusChange);
            hook(panic);
        }));
        execute!(io::stdout(), EnableBracketedPaste, EnableFocusChange)?;
        Ok(terminal)
    }

    /// Cells from left to right and from top to bottom.
    pub fn size(&self) -> io::Result<Input> {
        let size = self.inner.size()?;
        Ok(Input::Size { columns: size.width, rows: size.height })
    }

    /// Draws a frame.
    pub fn draw(&mut self, draw: impl FnOnce(&mut ratatui::Frame<'_>)) -> io::Result<()> {
        self.inner.draw(draw).map(drop)
    }

    /// Names the window.
    pub fn title(&self, title: &str) -> io::Result<()> {
        execute!(io::stdout(), SetTitle(title))
    }

    /// Rings the bell.
    pub fn ring(&self) -> io::Result<()> {
        io::stdout().write_all(b"\x07")?;
        io::stdout().flush()
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = execute!(io::stdout(), DisableBracketedPaste, DisableFocusChange, SetTitle(""));
        ratatui::restore();
    }
}

/// Starts to read the keyboard, for the rest of the process: a read of the terminal cannot be interrupted.
pub fn read_keys() -> io::Result<mpsc::Receiver<Input>> {
    let (sender, receiver) = mpsc::channel(KEYS_MAX);
    std::thread::Builder::new().name("keyboard".into()).spawn(move || {
        while let Ok(event) = event::read() {
            let input = match event {
                Event::Key(key) => Input::Key(key),
                Event::Paste(text) => Input::Paste(text),
                Event::FocusGained => Input::Focus(true),
                Event::FocusLost => Input::Focus(false),
                Event::Resize(columns, rows) => Input::Size { columns, rows },
                Event::Mouse(_) => continue,
            };
            if sender.blocking_send(input).is_err() {
                return;
            }
        }
    })?;
    Ok(receiver)
}
