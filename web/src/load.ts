// Data of one page: asked for when the page opens, again every so often while somebody looks, and dropped with it.
import { useEffect, useState } from "preact/hooks";
import { get, Problem } from "./api.ts";
import { isPaused } from "./state.ts";

export interface Loaded<T> {
  value: T | null;
  problem: Problem | null;
  reload: () => void;
}

export function useLoaded<T>(url: string | null, everySeconds = 0): Loaded<T> {
  const [value, setValue] = useState<T | null>(null);
  const [problem, setProblem] = useState<Problem | null>(null);
  const [round, setRound] = useState(0);

  useEffect(() => {
    setValue(null);
    setProblem(null);
  }, [url?.split("?")[0]]);

  useEffect(() => {
    if (url === null) return;
    const ending = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const ask = async () => {
      try {
        if (!(isPaused.peek() || document.hidden) || everySeconds === 0) {
          const found = await get<T>(url, ending.signal);
          if (ending.signal.aborted) return;
          setValue(() => found);
          setProblem(null);
        }
      } catch (error) {
        if (ending.signal.aborted) return;
        if (error instanceof Problem) setProblem(error);
        else throw error;
      }
      if (everySeconds) timer = setTimeout(ask, everySeconds * 1000);
    };
    void ask();
    return () => {
      ending.abort();
      clearTimeout(timer);
    };
  }, [url, everySeconds, round]);

  return { value, problem, reload: () => setRound((before) => before + 1) };
}
