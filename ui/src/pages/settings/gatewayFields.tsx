import { Anchor, Input, NumberInput, Stack, Switch, TextInput } from "@mantine/core";
import type { Settings } from "../../../../src/server/api/system.ts";
import { Saved } from "./saved.tsx";
import { leaveOnEnter, useDraft, useSaving } from "./useSetting.ts";

type Field = { readonly settings: Settings };
type Gateway = Settings["gateway"];

/** The WebUI in front of which Renoir stands, and what becomes of the pictures on their way. */
export function GatewayFields({ settings }: Field) {
  const { upstream } = settings;
  return (
    <Stack gap="md">
      <UpstreamField settings={settings} />
      {upstream && (
        <>
          <GatewaySwitch settings={settings} name="enabled" label="Score what programs generate through it" />
          <GatewaySwitch settings={settings} name="sort" label="Best picture first" />
          <GatewaySwitch settings={settings} name="filter" label="Leave out pictures with low scores" />
          <LimitField settings={settings} />
        </>
      )}
    </Stack>
  );
}

function UpstreamField({ settings: { upstream } }: Field) {
  const { save, saved, error } = useSaving();
  const [draft, setDraft] = useDraft(upstream ?? "", saved);
  return (
    <TextInput
      label={
        <>
          Address of the WebUI
          <Saved saved={saved} />
        </>
      }
      description={
        <>
          As in http://127.0.0.1:7860. Renoir's address then leads to that WebUI, and this page is at{" "}
          <Anchor href={new URL("/renoir-ui/", location.href).href} underline="always" inherit>
            /renoir-ui/
          </Anchor>
          . Empty: none.
        </>
      }
      type="url"
      error={error}
      value={draft}
      onChange={({ currentTarget: { value } }) => setDraft(value)}
      onBlur={() => draft.trim() !== (upstream ?? "") && save({ upstream: draft.trim() || null })}
      onKeyDown={leaveOnEnter}
    />
  );
}

interface SwitchField extends Field {
  readonly name: "enabled" | "sort" | "filter";
  readonly label: string;
}

function GatewaySwitch({ settings: { gateway }, name, label }: SwitchField) {
  const { save, saved, error } = useSaving();
  return (
    <Input.Wrapper error={error}>
      <Switch
        label={
          <>
            {label}
            <Saved saved={saved} />
          </>
        }
        disabled={name !== "enabled" && !gateway.enabled}
        checked={gateway[name]}
        onChange={({ currentTarget: { checked } }) =>
          save({ gateway: { ...gateway, [name]: checked } satisfies Gateway })
        }
      />
    </Input.Wrapper>
  );
}

function LimitField({ settings: { gateway } }: Field) {
  const { save, saved, error } = useSaving();
  const [draft, setDraft] = useDraft<number | string>(gateway.limit, saved);
  return (
    <NumberInput
      label={
        <>
          Lower score limit
          <Saved saved={saved} />
        </>
      }
      step={0.1}
      disabled={!gateway.enabled || !gateway.filter}
      error={error}
      value={draft}
      onChange={setDraft}
      onBlur={() =>
        draft !== "" && Number(draft) !== gateway.limit && save({ gateway: { ...gateway, limit: Number(draft) } })
      }
      onKeyDown={leaveOnEnter}
    />
  );
}
