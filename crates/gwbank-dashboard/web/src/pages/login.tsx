import { useState } from "preact/hooks";
import { Refused } from "../api";
import { Failure } from "../parts/common";
import { go, usePlace } from "../router";
import { useSession } from "../session";
import { useSettings } from "../settings";

export function Login() {
  const { t } = useSettings();
  const { login } = useSession();
  const { path } = usePlace();
  const [error, setError] = useState<Error | null>(null);
  const [doing, setDoing] = useState(false);
  const send = async (event: SubmitEvent) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget as HTMLFormElement);
    setDoing(true);
    setError(null);
    try {
      await login(String(form.get("name")), String(form.get("password")));
      if (path === "/login") go("/", true);
    } catch (failure) {
      setError(failure as Error);
    } finally {
      setDoing(false);
    }
  };
  const refused = error instanceof Refused ? (error.status === 429 ? "login_wait" : error.status === 401 ? "login_failed" : null) : null;
  return (
    <section class="login">
      <h1>{t("login")}</h1>
      <p>{t("login_needed")}</p>
      <form onSubmit={send}>
        <label>
          {t("name")}
          <input name="name" autocomplete="username" required autofocus />
        </label>
        <label>
          {t("password")}
          <input name="password" type="password" autocomplete="current-password" required />
        </label>
        <button type="submit" class="main" disabled={doing}>
          {t("login")}
        </button>
        {refused !== null && <p role="alert">{t(refused)}</p>}
        {error !== null && refused === null && <Failure error={error} />}
      </form>
    </section>
  );
}
