// The menu's pictures, drawn with one pen.

const PATHS: Record<string, string> = {
  search: "M10.5 4a6.5 6.5 0 1 0 0 13 6.5 6.5 0 0 0 0-13M15.5 15.5 20 20",
  overview: "M3 12h4l2.5-7 4 13 3-9 1.5 3H21",
  sessions: "M4 5h16v6H4ZM4 14h16v5H4ZM7.5 8h.01M7.5 16.5h.01",
  streams: "M3 7c4 0 5 4 9 4s5-4 9-4M3 14c4 0 5 4 9 4s5-4 9-4",
  alarms: "M6 16V11a6 6 0 0 1 12 0v5l1.5 2h-15ZM10 20.5h4",
  galaxy: "M12 4v5M6 15v-3h12v3M4 15h4v4H4ZM10 15h4v4h-4ZM16 15h4v4h-4ZM12 9v3",
  logs: "M5 6h14M5 10h10M5 14h14M5 18h7",
  audit: "M6 3.5h9l4 4v13H6ZM9 12l2 2 4-4.5M9 17h6",
  keys: "M14.5 9.5a4.5 4.5 0 1 0-4 4.4l1.5 1.6h2v2h2v2h3.5v-3.5l-5-4.5M9 8.5h.01",
  settings: "M4 7h9M17 7h3M4 12h3M11 12h9M4 17h11M19 17h1M13 5v4M7 10v4M15 15v4",
  about: "M12 3.5a8.5 8.5 0 1 1 0 17a8.5 8.5 0 0 1 0-17ZM12 11v5M12 8h.01",
  more: "M5 12h.01M12 12h.01M19 12h.01",
  pause: "M8 5v14M16 5v14",
  play: "M7 5l12 7-12 7Z",
  sun: "M12 7.5a4.5 4.5 0 1 1 0 9a4.5 4.5 0 0 1 0-9ZM12 2v2M12 20v2M2 12h2M20 12h2M5 5l1.4 1.4M17.6 17.6 19 19M19 5l-1.4 1.4M6.4 17.6 5 19",
  moon: "M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z",
  system: "M4 5h16v11H4ZM9 20h6M12 16v4",
};

export function Icon({ name }: { name: string }) {
  return (
    <svg class="icon" viewBox="0 0 24 24" aria-hidden="true" focusable="false">
      <path d={PATHS[name] ?? ""} />
    </svg>
  );
}
