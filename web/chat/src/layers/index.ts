/** Everything that opens above the page. Loaded at the first sign of life, because the first screen does not need it. */
export { EmojiPicker } from "./emoji-picker.js";
export { GroupPanel } from "./group-panel.js";
export { JoinGroup } from "./join-group.js";
export { MessageMenu } from "./message-menu.js";
export { NewChat } from "./new-chat.js";
export { NewGroup } from "./new-group.js";
export { PaneMenu } from "./pane-menu.js";
export { SettingsMenu } from "./settings-menu.js";
