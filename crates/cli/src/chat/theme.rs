//! Colours and emphasis. The sixteen colours of the terminal only, so that it fits light and dark ones; without colours
//! (NO_COLOR) everything can still be told apart.

use ratatui::style::{Color, Modifier, Style};

/// How things look.
#[derive(Clone, Copy, Debug)]
pub struct Theme {
    colours: bool,
}

impl Theme {
    /// With or without colours.
    pub fn new(colours: bool) -> Self {
        Self { colours }
    }

    fn coloured(self, colour: Color) -> Style {
        if self.colours { Style::new().fg(colour) } else { Style::new() }
    }

    /// Times, hints, rules.
    pub fn dim(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// Names and titles.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// What the user can act on: prompt, badges.
    pub fn accent(self) -> Style {
        self.coloured(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// The unread badge.
    pub fn badge(self) -> Style {
        let plain = Style::new().add_modifier(Modifier::BOLD | Modifier::REVERSED);
        if self.colours { plain.fg(Color::Cyan) } else { plain }
    }

    /// The bar beside the other person's messages.
    pub fn theirs(self) -> Style {
        self.coloured(Color::Cyan)
    }

    /// The text of own messages.
    pub fn own(self) -> Style {
        self.coloured(Color::Green)
    }

    /// The ticks of a read message.
    pub fn read(self) -> Style {
        if self.colours {
            Style::new().fg(Color::Blue).add_modifier(Modifier::BOLD)
        } else {
            Style::new().add_modifier(Modifier::UNDERLINED)
        }
    }

    /// What went wrong.
    pub fn bad(self) -> Style {
        self.coloured(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The banner of a link that is not live.
    pub fn warning(self) -> Style {
        let plain = Style::new().add_modifier(Modifier::REVERSED);
        if self.colours { plain.fg(Color::Yellow) } else { plain }
    }

    /// What is alive: online, typing.
    pub fn alive(self) -> Style {
        self.coloured(Color::Green)
    }

    /// The selected row.
    pub fn selected(self) -> Style {
        Style::new().add_modifier(Modifier::REVERSED)
    }
}
