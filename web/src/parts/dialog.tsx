// What is asked before something is done: which object, whose, with what effect, and why.
import type { ComponentChildren } from "preact";
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { Problem } from "../api.ts";
import { announce, isStale } from "../state.ts";
import { Failure } from "./basics.tsx";

interface Props {
  title: string;
  action: string;
  isDangerous?: boolean;
  children: ComponentChildren;
  /** What has to be typed before it goes on. */
  confirm?: string;
  reason?: "needed" | "optional";
  reasonLabel?: string;
  isReady?: boolean;
  onClose: () => void;
  onDo: (reason: string, confirmed: string) => Promise<string>;
}

export function Dialog(props: Props) {
  const place = useRef<HTMLDialogElement>(null);
  const [reason, setReason] = useState("");
  const [typed, setTyped] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem | null>(null);

  // Not after the next picture: until then whatever is drawn anew may take the focus away that it has to give back.
  useLayoutEffect(() => {
    const dialog = place.current;
    const before = document.activeElement as HTMLElement | null;
    dialog?.showModal();
    return () => {
      dialog?.close();
      before?.focus?.();
    };
  }, []);

  const isReady =
    (!props.confirm || typed === props.confirm) && (props.reason !== "needed" || reason.trim() !== "") && props.isReady !== false;
  const submit = async (event: Event) => {
    event.preventDefault();
    if (!isReady || isBusy) return;
    setBusy(true);
    setProblem(null);
    try {
      announce(await props.onDo(reason.trim(), typed));
      props.onClose();
    } catch (error) {
      setProblem(error instanceof Problem ? error : new Problem(0, "INTERNAL", String(error), ""));
      setBusy(false);
    }
  };
  return (
    <dialog
      ref={place}
      aria-labelledby="dialog-title"
      onCancel={(event) => {
        event.preventDefault();
        props.onClose();
      }}
    >
      <form onSubmit={submit}>
        <h2 id="dialog-title">{props.title}</h2>
        {props.children}
        {props.reason && (
          <label>
            {props.reasonLabel ?? "Reason"} {props.reason === "optional" && <span class="dim">(optional)</span>}
            <input
              value={reason}
              maxLength={300}
              onInput={(event) => setReason(event.currentTarget.value)}
              autocomplete="off"
            />
            <span class="hint">It is kept in the audit.</span>
          </label>
        )}
        {props.confirm && (
          <label>
            Type <code>{props.confirm}</code> to confirm
            <input
              value={typed}
              onInput={(event) => setTyped(event.currentTarget.value)}
              autocomplete="off"
              spellcheck={false}
            />
          </label>
        )}
        <Failure error={problem} />
        <div class="buttons">
          <button type="button" onClick={props.onClose}>
            Cancel
          </button>
          <button type="submit" class={props.isDangerous ? "danger" : "primary"} disabled={!isReady || isBusy || isStale.value}>
            {isBusy ? "Working …" : props.action}
          </button>
        </div>
      </form>
    </dialog>
  );
}
