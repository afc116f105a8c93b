/** The menu behind one's own picture: appearance, language, notifications, signing out. */
import { Menu } from "@base-ui/react/menu";
import { useState } from "react";
import { allowNotifications, canNotify } from "../model/notices.js";
import { type Prefs, prefs, setPref } from "../model/prefs.js";
import { useSpeech } from "../words/speech.js";
import { Icon } from "../views/icons.js";
import { Avatar } from "../views/parts.js";
import { useChat, useSignal } from "../views/watch.js";
import { Question } from "./question.js";

export function SettingsMenu({ anchor, onClose }: { anchor: Element | undefined; onClose: () => void }) {
  const chat = useChat();
  const { words } = useSpeech();
  const { theme, language, notifications, sound } = useSignal(prefs);
  const [leaving, setLeaving] = useState(false);

  const notify = (on: boolean) => void allowNotifications(on).then((done) => done || chat.say("denied"));

  return (
    <>
      <Menu.Root open={anchor !== undefined} onOpenChange={(open) => !open && onClose()}>
        <Menu.Portal>
          <Menu.Positioner className="layer" anchor={anchor} align="start" sideOffset={8}>
            <Menu.Popup className="menu settings" aria-label={words.settings}>
              <div className="menu-person">
                <Avatar name={chat.me} />
                <bdi>{chat.me}</bdi>
              </div>
              <Menu.Group>
                <Menu.GroupLabel className="menu-label">{words.theme}</Menu.GroupLabel>
                <Menu.RadioGroup className="choice" value={theme} onValueChange={(value: Prefs["theme"]) => setPref("theme", value)}>
                  {(["system", "light", "dark"] as const).map((value) => (
                    <Menu.RadioItem key={value} value={value} className="choice-item" closeOnClick={false}>
                      {words.themes[value]}
                    </Menu.RadioItem>
                  ))}
                </Menu.RadioGroup>
              </Menu.Group>
              <Menu.Group>
                <Menu.GroupLabel className="menu-label">{words.languageSetting}</Menu.GroupLabel>
                <Menu.RadioGroup className="choice" value={language} onValueChange={(value: Prefs["language"]) => setPref("language", value)}>
                  <Menu.RadioItem value="system" className="choice-item" closeOnClick={false}>
                    {words.languageSystem}
                  </Menu.RadioItem>
                  <Menu.RadioItem value="zh" className="choice-item" closeOnClick={false} lang="zh-CN">
                    中文
                  </Menu.RadioItem>
                  <Menu.RadioItem value="en" className="choice-item" closeOnClick={false} lang="en">
                    English
                  </Menu.RadioItem>
                </Menu.RadioGroup>
              </Menu.Group>
              <Menu.Separator className="menu-line" />
              <Menu.CheckboxItem className="menu-item" checked={notifications} onCheckedChange={notify} disabled={!canNotify()} closeOnClick={false}>
                <Icon name="bell" size={20} />
                {words.notifications}
                <span className="switch" aria-hidden="true" />
              </Menu.CheckboxItem>
              <Menu.CheckboxItem className="menu-item" checked={sound} onCheckedChange={(on) => setPref("sound", on)} closeOnClick={false}>
                <Icon name="sound" size={20} />
                {words.sound}
                <span className="switch" aria-hidden="true" />
              </Menu.CheckboxItem>
              <Menu.Separator className="menu-line" />
              <Menu.Item className="menu-item danger" onClick={() => setLeaving(true)}>
                <Icon name="exit" size={20} />
                {words.signOut}
              </Menu.Item>
            </Menu.Popup>
          </Menu.Positioner>
        </Menu.Portal>
      </Menu.Root>
      <Question open={leaving} title={words.signOutTitle} text={words.signOutText} action={words.signOut} onAction={() => void chat.client.signOut()} onClose={() => setLeaving(false)} />
    </>
  );
}
