// What narrows the library down: buckets on the histogram first, then everything else that is known of a picture.

import {
  Accordion,
  Button,
  Checkbox,
  Group,
  MultiSelect,
  NumberInput,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import type { Bucket, Facets, Histogram as Spread } from "../../../../src/server/api/library.ts";
import { DemoReward } from "../../components/demoReward.tsx";
import { ErrorNote } from "../../components/errorNote.tsx";
import { bucketMarks, type Limits } from "../../components/scoreBadge.tsx";
import { useIsDemo } from "../../queries.ts";
import classes from "./filters.module.css";
import { Histogram } from "./histogram.tsx";
import { isFiltered, readRanges, toggleBucket, type View, withRange } from "./view.ts";

export interface FiltersProps {
  readonly view: View;
  readonly onView: (view: View) => void;
  readonly reward: string;
  readonly spread: Spread | undefined;
  readonly facets: Facets | undefined;
  readonly limits: Limits;
  readonly onLimits: (limits: Limits) => void;
  /** Why the scores could not be counted. */
  readonly error: unknown;
}

export function Filters({ view, onView, reward, spread, facets, limits, onLimits, error }: FiltersProps) {
  const isDemo = useIsDemo();
  return (
    <Stack gap="md">
      <Select
        label="Score by"
        data={rewardsOf(facets, reward).map((name) => ({
          value: name,
          label: isDemo(name) ? `${name} (built-in demo)` : name,
        }))}
        value={reward}
        allowDeselect={false}
        onChange={(name) => onView({ ...view, reward: name ?? undefined })}
        comboboxProps={{ withinPortal: false }}
      />
      {isDemo(reward) && <DemoReward reward={reward} />}
      <ErrorNote error={error} />
      <Histogram spread={spread} limits={limits} shown={view.bucket} onChange={onLimits} />
      <BucketButtons view={view} onView={onView} spread={spread} />
      <Choices view={view} onView={onView} facets={facets} />
      <Accordion
        variant="default"
        chevronPosition="left"
        classNames={{ control: classes.control, content: classes.content }}
      >
        <Accordion.Item value="ranges">
          <Accordion.Control>Score ranges</Accordion.Control>
          <Accordion.Panel>
            <Ranges view={view} onView={onView} rewards={facets?.rewards.map(({ name }) => name) ?? []} />
          </Accordion.Panel>
        </Accordion.Item>
        <Accordion.Item value="dates">
          <Accordion.Control>Dates</Accordion.Control>
          <Accordion.Panel>
            <Dates view={view} onView={onView} />
          </Accordion.Panel>
        </Accordion.Item>
      </Accordion>
      <Checkbox
        label="Show rejected pictures"
        checked={view.rejected === "true"}
        onChange={({ currentTarget: { checked } }) => onView({ ...view, rejected: checked ? "true" : undefined })}
      />
      <Button
        variant="default"
        disabled={!isFiltered(view)}
        onClick={() => onView({ sort: view.sort, reward: view.reward })}
      >
        Clear all filters
      </Button>
    </Stack>
  );
}

/** Those that have scored, and the one that is about to. */
function rewardsOf(facets: Facets | undefined, reward: string): string[] {
  const names = facets?.rewards.map(({ name }) => name) ?? [];
  return names.includes(reward) || reward === "" ? names : [...names, reward];
}

type Part = Pick<FiltersProps, "view" | "onView">;

const bucketNames: Record<Bucket, string> = { great: "Great", ok: "OK", weak: "Weak", unscored: "Unscored" };

function BucketButtons({ view, onView, spread }: Part & { spread: Spread | undefined }) {
  return (
    <fieldset className={classes.buckets}>
      <legend>Show</legend>
      {(Object.keys(bucketNames) as Bucket[]).map((bucket) => (
        <button
          key={bucket}
          type="button"
          className={classes.bucket}
          data-bucket={bucket}
          aria-pressed={view.bucket?.includes(bucket) ?? false}
          onClick={() => onView(toggleBucket(view, bucket))}
        >
          <span>
            <span className={classes.mark} aria-hidden>
              {bucketMarks[bucket]}
            </span>
            {bucketNames[bucket]}
          </span>
          <strong>{spread?.buckets[bucket].toLocaleString() ?? "…"}</strong>
        </button>
      ))}
    </fieldset>
  );
}

const choices = [
  { name: "host", label: "Host", of: "hosts" },
  { name: "model", label: "Model", of: "models" },
  { name: "folder", label: "Folder", of: "folders" },
] as const;

function Choices({ view, onView, facets }: Part & { facets: Facets | undefined }) {
  return choices.map(({ name, label, of }) => (
    <MultiSelect
      key={name}
      label={label}
      placeholder={view[name] ? undefined : "Any"}
      data={(facets?.[of] ?? []).map((facet) => ({
        value: facet.name,
        label: `${short(facet.name)} (${facet.count.toLocaleString()})`,
      }))}
      value={view[name] ?? []}
      onChange={(chosen) => onView({ ...view, [name]: chosen.length > 0 ? chosen : undefined })}
      searchable
      clearable
      clearButtonProps={{ "aria-label": `Any ${name}` }}
      nothingFoundMessage="None of that name"
      comboboxProps={{ withinPortal: false }}
    />
  ));
}

/** A path's end says more than its beginning. */
const short = (name: string) => (name.length > 32 ? `…${name.slice(-31)}` : name);

function Ranges({ view, onView, rewards }: Part & { rewards: readonly string[] }) {
  const ranges = readRanges(view);
  const number = (value: number | string) => (value === "" ? undefined : Number(value));
  return (
    <Stack gap="xs">
      {rewards.map((reward) => {
        const { from, to } = ranges[reward] ?? {};
        return (
          <div key={reward}>
            <Text size="sm" fw={500}>
              {reward}
            </Text>
            <Group grow gap="xs" wrap="nowrap">
              <NumberInput
                aria-label={`${reward} from`}
                placeholder="from"
                step={0.1}
                value={from ?? ""}
                onChange={(value) => onView(withRange(view, reward, { from: number(value), to }))}
              />
              <NumberInput
                aria-label={`${reward} to`}
                placeholder="to"
                step={0.1}
                value={to ?? ""}
                onChange={(value) => onView(withRange(view, reward, { from, to: number(value) }))}
              />
            </Group>
          </div>
        );
      })}
    </Stack>
  );
}

function Dates({ view, onView }: Part) {
  return (
    <Group grow gap="xs" wrap="nowrap">
      {(["from", "to"] as const).map((name) => (
        <TextInput
          key={name}
          type="date"
          label={name === "from" ? "From" : "To"}
          value={view[name]?.slice(0, 10) ?? ""}
          onChange={({ currentTarget: { value } }) => onView({ ...view, [name]: value || undefined })}
        />
      ))}
    </Group>
  );
}
