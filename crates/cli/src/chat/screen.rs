//! Where everything is on the screen. Geometry only: the model scrolls by it, the view draws by it.

use ratatui::layout::Rect;

/// Below this size nothing useful can be shown.
const COLUMNS_MIN: u16 = 24;
const ROWS_MIN: u16 = 8;
/// From here on the list is beside the messages.
const COLUMNS_WITH_LIST: u16 = 60;
/// The list is a quarter of the screen, but not less or more than this.
const LIST_COLUMNS_MIN: u16 = 22;
const LIST_COLUMNS_MAX: u16 = 36;
/// Rows of a text being written.
const COMPOSER_ROWS_MAX: u16 = 8;
/// Columns of the prompt before a text being written.
pub const PROMPT_COLUMNS: u16 = 2;

/// The parts of the screen; they do not overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Screen {
    /// Conversations, with a title row; absent if there is no room beside the messages.
    pub list: Option<Rect>,
    /// Whom the messages are exchanged with.
    pub header: Rect,
    /// The messages.
    pub timeline: Rect,
    /// The quoted or edited message; of no height if there is none.
    pub context: Rect,
    /// The text being written, with the prompt.
    pub composer: Rect,
    /// State of the link, if it is not live; of no height otherwise.
    pub banner: Rect,
    /// Hints.
    pub footer: Rect,
}

/// What the geometry depends on.
#[derive(Clone, Copy, Debug)]
pub struct Needs {
    /// A conversation is open.
    pub is_open: bool,
    /// The link is not live.
    pub banner: bool,
    /// A message is quoted or edited.
    pub context: bool,
}

impl Screen {
    /// `None` if the window is too small. `composer_rows` gives the rows a text needs in so many columns.
    pub fn of(area: Rect, needs: Needs, composer_rows: impl Fn(usize) -> usize) -> Option<Self> {
        if area.width < COLUMNS_MIN || area.height < ROWS_MIN {
            return None;
        }
        let banner = Rect { height: needs.banner.into(), ..area };
        let footer = Rect { y: area.bottom() - 1, height: 1, ..area };
        let middle = Rect { y: banner.bottom(), height: footer.y - banner.bottom(), ..area };
        let list_columns = (area.width / 4).clamp(LIST_COLUMNS_MIN, LIST_COLUMNS_MAX);
        let (list, pane) = if area.width >= COLUMNS_WITH_LIST {
            let list = Rect { width: list_columns, ..middle };
            let used = list_columns + 1;
            (Some(list), Rect { x: middle.x + used, width: middle.width - used, ..middle })
        } else if needs.is_open {
            (None, middle)
        } else {
            (Some(middle), Rect { x: middle.right(), width: 0, ..middle })
        };
        let text_columns = pane.width.saturating_sub(PROMPT_COLUMNS);
        let rows_max = COMPOSER_ROWS_MAX.min(pane.height / 4).max(1);
        let rows = if needs.is_open { composer_rows(text_columns.into()).min(rows_max.into()) as u16 } else { 1 };
        let composer = Rect { y: pane.bottom() - rows, height: rows, ..pane };
        let context = u16::from(needs.context);
        let context = Rect { y: composer.y - context, height: context, ..pane };
        let header = Rect { height: 2, ..pane };
        // A rule lies between the messages and what is written below them.
        let timeline = Rect { y: header.bottom(), height: (context.y - 1).saturating_sub(header.bottom()), ..pane };
        Some(Self { list, header, timeline, context, composer, banner, footer })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NEEDS: Needs = Needs { is_open: true, banner: true, context: true };

    fn of(width: u16, height: u16, rows: usize) -> Option<Screen> {
        Screen::of(Rect { x: 0, y: 0, width, height }, NEEDS, |_| rows)
    }

    #[test]
    fn an_ordinary_terminal_has_room_for_both_panes() {
        let screen = of(80, 24, 2).unwrap();
        assert_eq!(screen.list, Some(Rect { x: 0, y: 1, width: 22, height: 22 }));
        assert_eq!(screen.header, Rect { x: 23, y: 1, width: 57, height: 2 });
        assert_eq!(screen.timeline, Rect { x: 23, y: 3, width: 57, height: 16 });
        assert_eq!(screen.context, Rect { x: 23, y: 20, width: 57, height: 1 });
        assert_eq!(screen.composer, Rect { x: 23, y: 21, width: 57, height: 2 });
        assert_eq!(screen.footer, Rect { x: 0, y: 23, width: 80, height: 1 });
    }

    #[test]
    fn every_size_holds_its_parts() {
        for (width, height) in [(24, 8), (59, 10), (60, 8), (80, 24), (300, 100)] {
            for rows in [1, 100] {
                let screen = of(width, height, rows).unwrap();
                let parts = [screen.banner, screen.header, screen.timeline, screen.context, screen.composer];
                assert!(parts.windows(2).all(|pair| pair[0].bottom() <= pair[1].y), "{width}×{height}: {screen:?}");
                assert_eq!(screen.composer.bottom(), screen.footer.y);
                assert!(screen.timeline.height > 0, "{width}×{height}: {screen:?}");
            }
        }
        assert_eq!(of(23, 24, 1), None);
        assert_eq!(of(80, 7, 1), None);
    }
}
