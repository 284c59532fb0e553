// Two pictures beside each other: one zoom for both, and only what tells them apart.

import { Button, Group, Switch, Table, Text, Title } from "@mantine/core";
import { IconArrowLeft } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { Link, useParams, useSearch } from "wouter";
import type { LibraryPicture } from "../../../../src/server/api/library.ts";
import { api } from "../../api.ts";
import { ErrorNote } from "../../components/errorNote.tsx";
import { Page } from "../../components/page.tsx";
import { ScoreBadge } from "../../components/scoreBadge.tsx";
import { fitted, ZoomButtons, ZoomView } from "../../components/zoomView.tsx";
import { readView, withSearch } from "../library/view.ts";
import classes from "./comparePage.module.css";
import { settingsRows, type Word, wordsApart } from "./differences.ts";

export function ComparePage() {
  const { a = "", b = "" } = useParams<{ a: string; b: string }>();
  const view = readView(useSearch());
  const left = usePicture(a);
  const right = usePicture(b);
  return (
    <Page
      title="Compare"
      actions={
        <Button
          variant="default"
          component={Link}
          href={withSearch("/", view)}
          leftSection={<IconArrowLeft size={18} aria-hidden />}
        >
          Library
        </Button>
      }
    >
      <ErrorNote error={left.error ?? right.error} />
      {left.data && right.data && <Both left={left.data} right={right.data} />}
    </Page>
  );
}

const usePicture = (id: string) =>
  useQuery({ queryKey: ["library", "picture", id], queryFn: ({ signal }) => api.picture(id, signal) });

interface Pair {
  readonly left: LibraryPicture;
  readonly right: LibraryPicture;
}

function Both({ left, right }: Pair) {
  const [zoom, setZoom] = useState(fitted);
  return (
    <>
      <div className={classes.pictures}>
        {[left, right].map((picture) => (
          <figure key={picture.id} className={classes.figure}>
            <ZoomView
              src={picture.file}
              alt={picture.prompt ?? picture.name}
              width={picture.width}
              height={picture.height}
              view={zoom}
              onView={setZoom}
              className={classes.picture}
            />
            <figcaption>
              <Link href={`/picture/${picture.id}`}>{picture.name}</Link>
            </figcaption>
          </figure>
        ))}
      </div>
      <Group justify="center" my="sm">
        <ZoomButtons view={zoom} onView={setZoom} />
      </Group>
      <ScoreTable left={left} right={right} />
      <Prompts left={left} right={right} />
      <SettingsTable left={left} right={right} />
    </>
  );
}

function ScoreTable({ left, right }: Pair) {
  const rewards = [...new Set([...Object.keys(left.scores), ...Object.keys(right.scores)])].sort();
  if (rewards.length === 0) return null;
  return (
    <section className={classes.section}>
      <Title order={2}>Scores</Title>
      <Table>
        <Names left={left} right={right} first="Reward" last="Change" />
        <Table.Tbody>
          {rewards.map((reward) => {
            const [a, b] = [left.scores[reward], right.scores[reward]];
            return (
              <Table.Tr key={reward}>
                <Table.Th scope="row">{reward}</Table.Th>
                <Table.Td>
                  <ScoreBadge score={a} reward={reward} />
                </Table.Td>
                <Table.Td>
                  <ScoreBadge score={b} reward={reward} />
                </Table.Td>
                <Table.Td className={classes.number}>
                  {a === undefined || b === undefined ? "–" : signed(b - a)}
                </Table.Td>
              </Table.Tr>
            );
          })}
        </Table.Tbody>
      </Table>
    </section>
  );
}

const signed = (difference: number) => `${difference < 0 ? "−" : "+"}${Math.abs(difference).toFixed(2)}`;

function Prompts({ left, right }: Pair) {
  const [a, b] = wordsApart(left.prompt ?? "", right.prompt ?? "");
  return (
    <section className={classes.section}>
      <Title order={2}>Prompts</Title>
      <div className={classes.prompts}>
        <Marked name={left.name} words={a} />
        <Marked name={right.name} words={b} />
      </div>
    </section>
  );
}

const Marked = ({ name, words }: { name: string; words: readonly Word[] }) => (
  <div>
    <Text size="sm" c="dimmed">
      {name}
    </Text>
    <Text className={classes.prompt}>
      {words.length === 0 && "No prompt"}
      {words.map(({ text, own, at }) => (own ? <mark key={at}>{text}</mark> : text))}
    </Text>
  </div>
);

function SettingsTable({ left, right }: Pair) {
  const [all, setAll] = useState(false);
  const rows = settingsRows(left.info, right.info);
  const shown = all ? rows : rows.filter(({ same }) => !same);
  return (
    <section className={classes.section}>
      <Group justify="space-between">
        <Title order={2}>Settings</Title>
        <Switch
          label="Those that are the same, too"
          checked={all}
          onChange={({ currentTarget: { checked } }) => setAll(checked)}
        />
      </Group>
      {shown.length === 0 ? (
        <Text c="dimmed">All settings are the same.</Text>
      ) : (
        <Table className={classes.settings}>
          <Names left={left} right={right} first="Setting" />
          <Table.Tbody>
            {shown.map(({ name, a, b }) => (
              <Table.Tr key={name}>
                <Table.Th scope="row">{name}</Table.Th>
                <Table.Td>{a ?? "–"}</Table.Td>
                <Table.Td>{b ?? "–"}</Table.Td>
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      )}
    </section>
  );
}

const Names = ({ left, right, first, last }: Pair & { first: string; last?: string }) => (
  <Table.Thead>
    <Table.Tr>
      <Table.Th scope="col">{first}</Table.Th>
      <Table.Th scope="col" className={classes.name}>
        {left.name}
      </Table.Th>
      <Table.Th scope="col" className={classes.name}>
        {right.name}
      </Table.Th>
      {last && <Table.Th scope="col">{last}</Table.Th>}
    </Table.Tr>
  </Table.Thead>
);
