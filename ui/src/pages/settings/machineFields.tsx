import { NumberInput, Select, TextInput } from "@mantine/core";
import type { Settings } from "../../../../src/server/api/system.ts";
import { Saved } from "./saved.tsx";
import { leaveOnEnter, useDraft, useSaving } from "./useSetting.ts";

type Field = { readonly settings: Settings };

export function OutputField({ settings: { outputFolder } }: Field) {
  const { save, saved, error } = useSaving();
  const [draft, setDraft] = useDraft(outputFolder, saved);
  return (
    <TextInput
      label={
        <>
          Output folder
          <Saved saved={saved} />
        </>
      }
      description="For kept pictures that have no folder of their own; refined ones go beside the picture they began with"
      error={error}
      value={draft}
      onChange={({ currentTarget: { value } }) => setDraft(value)}
      onBlur={() => draft !== outputFolder && save({ outputFolder: draft })}
      onKeyDown={leaveOnEnter}
    />
  );
}

export function IdleField({ settings: { idleMinutes } }: Field) {
  const { save, saved, error } = useSaving();
  const [draft, setDraft] = useDraft<number | string>(idleMinutes, saved);
  const commit = () => draft !== "" && Number(draft) !== idleMinutes && save({ idleMinutes: Number(draft) });
  return (
    <NumberInput
      label={
        <>
          Minutes until unused models leave memory
          <Saved saved={saved} />
        </>
      }
      description="0: they stay until you unload them or memory runs short"
      min={0}
      max={1440}
      error={error}
      value={draft}
      onChange={setDraft}
      onBlur={commit}
      onKeyDown={leaveOnEnter}
    />
  );
}

const providers: readonly { value: Settings["provider"]; label: string }[] = [
  { value: "auto", label: "The best that works here" },
  { value: "cpu", label: "Processor (cpu)" },
  { value: "webgpu", label: "Any graphics card (webgpu)" },
  { value: "cuda", label: "NVIDIA, after its separate download (cuda)" },
  { value: "dml", label: "Windows graphics (dml)" },
  { value: "coreml", label: "Apple (coreml)" },
];

export function ProviderField({ settings: { provider } }: Field) {
  const { save, saved, error } = useSaving();
  return (
    <Select
      label={
        <>
          What computes
          <Saved saved={saved} />
        </>
      }
      description={
        <>
          <code>renoir doctor</code> tries each of them on this machine
        </>
      }
      data={[...providers]}
      allowDeselect={false}
      error={error}
      value={provider}
      onChange={(value) => value && save({ provider: value as Settings["provider"] })}
    />
  );
}
