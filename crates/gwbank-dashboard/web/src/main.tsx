import { render } from "preact";
import { App } from "./app";
import { Router } from "./router";
import { SessionProvider } from "./session";
import { SettingsProvider } from "./settings";
import "./style.css";

render(
  <SettingsProvider>
    <SessionProvider>
      <Router>
        <App />
      </Router>
    </SessionProvider>
  </SettingsProvider>,
  document.getElementById("app")!,
);
