import type { ComponentType } from "preact";
import { useEffect, useState } from "preact/hooks";
import { Failure } from "./parts/common";
import { useSettings } from "./settings";

/** What is not needed for the first view comes when it is asked for. */
export function later<P>(load: () => Promise<ComponentType<P>>): ComponentType<P & { key?: string }> {
  return function Later(props: P) {
    const { t } = useSettings();
    const [Part, setPart] = useState<ComponentType<P> | null>(null);
    const [error, setError] = useState<Error | null>(null);
    useEffect(() => {
      load().then((found) => setPart(() => found), setError);
    }, []);
    if (error !== null) return <Failure error={error} again={() => location.reload()} />;
    if (Part === null) return <p class="quiet">{t("loading")}</p>;
    return <Part {...(props as P & object)} />;
  };
}
